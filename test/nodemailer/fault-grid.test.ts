/**
 * Every fault at every stage of a session, over real sockets: what the attempt says of it, what
 * becomes of the recipient, and above all how many copies of the mail there are in the end.
 */
import { generate } from 'selfsigned';
import type { SmtpVia } from 'smtp-routes';
import type { ScriptMoment, SmtpServerOptions, Stage } from 'smtp-routes/testing';
import { describe, expect, it } from 'vitest';
import { inTurns } from './in-turns.js';
import { toldAttempt, toldOutcome } from './told.js';
import { messageOf, SHORT, withRelays, type RelaysOptions } from './two-relays.js';

const FAULTS = ['2xx', '3xx', '421', '4xx', '5xx', '503', 'close', 'reset', 'stall'] as const;
type Fault = (typeof FAULTS)[number];

/** As the stages of a script; a fault in the body is tried with a message of two sizes. */
type Row = Exclude<Stage, 'connect' | 'body'> | 'short body' | 'long body';

const CODES: Readonly<Partial<Record<Fault, number>>> = { '421': 421, '4xx': 450, '5xx': 554, '503': 503 };

/** The 2xx and the 3xx that do not belong there; where a 2xx does belong, it is the ordinary case. */
const OUT_OF_PLACE: Readonly<Record<Row, { readonly '2xx': number; readonly '3xx': number }>> = {
  greeting: { '2xx': 250, '3xx': 354 },
  ehlo: { '2xx': 250, '3xx': 354 },
  starttls: { '2xx': 220, '3xx': 354 },
  auth: { '2xx': 235, '3xx': 354 },
  mail: { '2xx': 250, '3xx': 354 },
  rcpt: { '2xx': 250, '3xx': 354 },
  data: { '2xx': 250, '3xx': 354 },
  'short body': { '2xx': 250, '3xx': 354 },
  'long body': { '2xx': 250, '3xx': 354 },
  'final-reply': { '2xx': 250, '3xx': 354 },
};

/** How often the second relay is needed is not said here: it follows from the verdict. */
const DELIVERED = 'delivered';

/** A stage before MAIL: whatever happens is about the relay. */
function relayFault(phase: 'connect' | 'session'): Readonly<Record<Fault, string>> {
  const lost = `lost at ${phase}: next-relay, cool`;
  const reply = (code: number): string => `reply ${String(code)} at ${phase}: next-relay, cool`;
  return {
    '2xx': DELIVERED,
    '3xx': reply(354),
    '421': reply(421),
    '4xx': reply(450),
    '5xx': reply(554),
    '503': reply(503),
    close: lost,
    reset: lost,
    stall: lost,
  };
}

/** From MAIL on: DESIGN section 5, and for `final-reply` PRECISIONS "Verdicts". */
function mailFault(phase: 'envelope' | 'data' | 'final-reply'): Readonly<Record<Fault, string>> {
  const lost = `lost at ${phase}: ${phase === 'final-reply' ? 'stop' : 'next-relay'}, cool`;
  return {
    '2xx': DELIVERED,
    '3xx': `reply 354 at ${phase}: ${phase === 'final-reply' ? 'stop' : 'next-relay'}, cool`,
    '421': `reply 421 at ${phase}: next-relay, cool`,
    '4xx': `reply 450 at ${phase}: next-relay`,
    '5xx': `reply 554 at ${phase}: reject`,
    '503': `reply 503 at ${phase}: next-relay, cool`,
    close: lost,
    reset: lost,
    stall: lost,
  };
}

const EXPECTED: Readonly<Record<Row, Readonly<Record<Fault, string>>>> = {
  greeting: { ...relayFault('connect'), '2xx': 'reply 250 at connect: next-relay, cool' },
  ehlo: relayFault('session'),
  starttls: relayFault('session'),
  auth: relayFault('session'),
  mail: mailFault('envelope'),
  rcpt: mailFault('envelope'),
  // The go-ahead is a 354; a 250 is tolerated.
  data: { ...mailFault('envelope'), '3xx': DELIVERED },
  // A short message and its dot leave together: whatever the server says then, it may mean the dot.
  'short body': mailFault('final-reply'),
  // A long one is still being sent: an early 2xx answers nothing, and its end is never sent.
  'long body': { ...mailFault('data'), '2xx': 'reply 250 at data: next-relay, cool' },
  'final-reply': mailFault('final-reply'),
};

/** How the faulty relay is spoken to. On a `reused` connection the fault meets the second message. */
const MODES = ['a connection for each message', 'a pooled connection', 'a reused connection'] as const;
type Mode = (typeof MODES)[number];

/** The answer to the first command on a reused connection: it had been given up while idle. The same relay, once more. */
const STALE: ReadonlySet<Fault> = new Set(['421', 'close', 'reset', 'stall']);

/** The dot had arrived, but this server threw it away unread. Nobody but the server can know. */
const NEVER_READ: ReadonlySet<Fault> = new Set(['close', 'reset', 'stall']);

interface Cell {
  readonly row: Row;
  readonly fault: Fault;
  readonly mode: Mode;
  readonly pipelining: boolean;
}

const LONG = messageOf(1_500_000);
/** Where the server stops reading: more than the buffers of both kernels hold. */
const ENDLESS = messageOf(8_000_000);
/** Long enough for a machine under load to get as far as the fault. */
const STALL_MS = 500;

const { private: key, cert } = await generate([{ name: 'commonName', value: 'relay.test' }]);

function stageOf(row: Row): Stage {
  return row === 'short body' || row === 'long body' ? 'body' : row;
}

function lineFor({ row, fault }: Cell): string {
  const place = fault === '2xx' || fault === '3xx' ? OUT_OF_PLACE[row][fault] : CODES[fault];
  const text = fault === '421' ? '4.3.2 shutting down' : 'as told';
  return place === undefined ? `${fault}@${stageOf(row)}` : `${String(place)}@${stageOf(row)} ${text}`;
}

function faultyServer(cell: Cell): SmtpServerOptions {
  const { row, mode, pipelining } = cell;
  const line = lineFor(cell);
  const stage = stageOf(row);
  const reused = mode === 'a reused connection';
  return {
    extensions: pipelining ? ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES'] : ['8BITMIME', 'ENHANCEDSTATUSCODES'],
    script: (at: ScriptMoment) =>
      at.stage === stage && (!reused || (at.connection === 1 && at.message === 1)) ? line : undefined,
    ...(row === 'starttls' && { tls: { key, cert } }),
    ...(row === 'auth' && { auth: () => true }),
  };
}

function firstVia({ row, fault, mode }: Cell): Partial<SmtpVia> {
  return {
    pool: mode !== 'a connection for each message',
    ...(fault === 'stall' && { greetingTimeout: STALL_MS, socketTimeout: STALL_MS }),
    ...(row === 'starttls' && { tls: { rejectUnauthorized: false } }),
    ...(row === 'auth' && { auth: { user: 'u', pass: 'p' } }),
  };
}

function expectedAttempt({ row, fault, mode }: Cell): string {
  return mode === 'a reused connection' && row === 'mail' && STALE.has(fault) ? DELIVERED : EXPECTED[row][fault];
}

function expectedOutcome(attempt: string): string {
  if (attempt === DELIVERED) return 'delivered by first';
  if (attempt.includes('stop')) return 'possibly-delivered by first';
  return attempt.includes('reject') ? 'rejected: 554' : 'delivered by second';
}

/** Reuse begins with MAIL: what comes before belongs to a new connection. */
const BEFORE_MAIL: ReadonlySet<Row> = new Set<Row>(['greeting', 'ehlo', 'starttls', 'auth']);

function messageFor({ row, fault }: Cell): Buffer {
  if (row !== 'long body') return SHORT;
  return fault === 'stall' ? ENDLESS : LONG;
}

async function tryCell(cell: Cell): Promise<void> {
  const { row, fault, mode } = cell;
  const options: RelaysOptions = { first: faultyServer(cell), firstVia: firstVia(cell) };
  await withRelays(options, async ({ first, second, send }) => {
    const before = mode === 'a reused connection' ? 1 : 0;
    for (let i = 0; i < before; i++) expect(toldOutcome(await send())).toBe('delivered by first');
    const message = messageFor(cell);
    const outcome = await send(undefined, message);

    const attempt = expectedAttempt(cell);
    const status = expectedOutcome(attempt);
    const movesOn = attempt.includes('next-relay');
    expect(outcome.attempts.map(toldAttempt)).toEqual(movesOn ? [attempt, DELIVERED] : [attempt]);
    expect(toldOutcome(outcome)).toBe(status);

    // The copies: what the first one accepted or may hold, and what the second one has.
    const mayHold = status.endsWith('by first');
    expect(second.messages).toHaveLength(movesOn ? 1 : 0);
    if (row === 'short body' && NEVER_READ.has(fault)) expect(first.received).toHaveLength(before);
    else if (mayHold) expect(first.received).toHaveLength(before + 1);
    else if (attempt.includes('final-reply')) expect(first.messages).toHaveLength(before);
    else expect(first.received).toHaveLength(before);
    const copy = movesOn ? second.messages[0] : first.received[before];
    if (copy) expect(copy.data.equals(message)).toBe(true);
  });
}

describe.concurrent.each([true, false])('before a word is said (pooled: %s)', (pool) => {
  it.each([
    ['refused', 'ECONNREFUSED'],
    ['close@connect', 'ECONNECTION'],
    ['reset@connect', 'ECONNRESET'],
    ['stall@connect', 'ETIMEDOUT'],
  ])('%s is a fault of the relay: the mail goes to the next one', async (script, code) => {
    const options = { first: { script }, firstVia: { pool, greetingTimeout: STALL_MS } };
    await withRelays(options, async ({ first, second, send }) => {
      const outcome = await send();
      expect(outcome.attempts.map(toldAttempt)).toEqual(['lost at connect: next-relay, cool', DELIVERED]);
      expect(outcome.attempts[0]!.failure).toMatchObject({ code });
      expect([first.received.length, second.messages.length]).toEqual([0, 1]);
    });
  });
});

describe.concurrent.each(MODES)('over %s', (mode) => {
  describe.concurrent.each([true, false])('with PIPELINING: %s', (pipelining) => {
    const rows = (Object.keys(EXPECTED) as Row[]).filter((row) => mode !== MODES[2] || !BEFORE_MAIL.has(row));
    it.concurrent.each(rows)(
      'at %s each fault means what the table says, and there is never a second copy',
      async (row) => {
        const cells = FAULTS.map((fault): Cell => ({ row, fault, mode, pipelining }));
        await inTurns(cells, 4, tryCell, ({ fault }) => fault);
      },
    );
  });
});
