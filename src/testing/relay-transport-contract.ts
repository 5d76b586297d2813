/**
 * What every `RelayTransport` must do, for those who write their own: one true report for each
 * recipient, the phase of a loss, and never a second copy. Our own transports pass the same cases.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import type { Failure } from '../core/failure.js';
import type { Relay } from '../core/relay.js';
import type { Message, RecipientReport, RelayTransport, SendRequest } from '../delivery/relay-transport.js';
import type { ContractCase } from './contract.js';

/** A transport, a relay, and the hand on the server behind it: `startSmtpServer` has all that it needs. */
export interface RelayTransportSetting {
  readonly transport: RelayTransport;
  readonly relay: Relay;
  /** Lets the server do this from its next connection on: one line in the notation of the kit, such as `450@rcpt(u1@example.com)`. */
  follow(line: string): void;
  /** Every message whose final dot reached the server, in order. */
  copies(): readonly { readonly to: readonly string[]; readonly data: Uint8Array }[];
  /** Resolves once a `stall` holds a send up. */
  stalled(): Promise<void>;
  /** Lets what is stalled go on. */
  release(): void;
  close(): Promise<void> | void;
}

const TO = ['u1@example.com', 'u2@example.com', 'u3@example.com'];
/** A line of one dot, which must arrive as such, and lines that begin with dots. */
const MESSAGE = 'Subject: contract\r\n\r\nfirst\r\n.\r\n..two\r\n.three\r\nlast\r\n';

type Work = (setting: RelayTransportSetting) => Promise<void>;

function contractCase(name: string, work: Work): ContractCase<RelayTransportSetting> {
  return {
    name,
    async run(setUp): Promise<void> {
      const setting = await setUp();
      try {
        await work(setting);
      } finally {
        await setting.close();
      }
    },
  };
}

/** Sends, checks that each recipient has one report, and answers the reports as words. */
async function send(setting: RelayTransportSetting, more: Partial<SendRequest> = {}): Promise<string[]> {
  const envelope = more.envelope ?? { from: 'from@example.org', to: TO };
  const signal = more.signal ?? new AbortController().signal;
  const reports = await setting.transport.send({ relay: setting.relay, message: MESSAGE, ...more, envelope, signal });
  deepStrictEqual(
    [...reports].map(({ recipient }) => recipient).sort(),
    [...envelope.to].sort(),
    'one report for each recipient',
  );
  return envelope.to.map((recipient) => word(reports.find((one) => one.recipient === recipient)));
}

/** `delivered`, `450 at envelope`, `lost at data`, `aborted`. */
function word(report: RecipientReport | undefined): string {
  const failure: Failure | undefined = report?.failure;
  if (!failure) return 'delivered';
  if (failure.kind === 'reply') return `${String(failure.reply.code)} at ${failure.phase}`;
  return failure.kind === 'lost' ? `lost at ${failure.phase}` : failure.kind;
}

const all = (one: string): string[] => TO.map(() => one);

/** Sends twice, as a deliverer does with the next message: a failure must not leak into what follows. */
function fault(line: string, expected: readonly string[], copies: number): ContractCase<RelayTransportSetting> {
  return contractCase(`${line}: ${[...new Set(expected)].join(', ')}`, async (setting) => {
    setting.follow(line);
    deepStrictEqual(await send(setting), expected);
    strictEqual(setting.copies().length, copies, 'copies at the server');
    setting.follow('250');
    deepStrictEqual(await send(setting), all('delivered'), 'the next message');
    strictEqual(setting.copies().length, copies + 1, 'copies at the server');
    deepStrictEqual(setting.copies().at(-1)?.to, TO, 'the next message has its own recipients');
  });
}

const STAGES = [
  ['greeting', 'connect'],
  ['mail', 'envelope'],
  ['rcpt', 'envelope'],
  ['data', 'envelope'],
  ['final-reply', 'final-reply'],
] as const;

const replies = STAGES.flatMap(([stage, phase]) =>
  ['451', '554'].map((code) =>
    fault(`${code}@${stage} no`, all(`${code} at ${phase}`), stage === 'final-reply' ? 1 : 0),
  ),
);

const losses = [...STAGES, ['ehlo', 'session'] as const].map(([stage, phase]) =>
  fault(`close@${stage}`, all(`lost at ${phase}`), stage === 'final-reply' ? 1 : 0),
);

/** For a message, its bytes as they must arrive. */
function carries(what: string, message: () => Message): ContractCase<RelayTransportSetting> {
  return contractCase(`carries ${what} byte for byte`, async (setting) => {
    deepStrictEqual(await send(setting, { message: message() }), all('delivered'));
    const [copy, ...more] = setting.copies();
    strictEqual(more.length, 0, 'one copy');
    strictEqual(Buffer.from(copy?.data ?? []).toString(), MESSAGE);
    deepStrictEqual(copy?.to, TO);
  });
}

class TimeIsOver extends Error {
  override readonly name = 'TimeoutError';
}

async function stalledAt(
  setting: RelayTransportSetting,
  stage: string,
  reason: Error,
): Promise<{ sent: Promise<string[]> }> {
  const controller = new AbortController();
  setting.follow(`stall@${stage}`);
  const sent = send(setting, { signal: controller.signal });
  // A transport that does not stall has settled, rightly or wrongly: the case says which.
  await Promise.race([setting.stalled(), sent]);
  controller.abort(reason);
  return { sent };
}

/** The cases for a `RelayTransport`. */
export const relayTransportContract: readonly ContractCase<RelayTransportSetting>[] = [
  carries('a text', () => MESSAGE),
  carries('bytes', () => Buffer.from(MESSAGE)),
  carries('a source', () => ({ open: () => Readable.from([Buffer.from(MESSAGE)]), size: MESSAGE.length })),

  contractCase('opens a source anew for each send', async (setting) => {
    let opened = 0;
    const message = {
      open: (): Readable => {
        opened += 1;
        return Readable.from([Buffer.from(MESSAGE)]);
      },
    };
    setting.follow('451@final-reply');
    deepStrictEqual(await send(setting, { message }), all('451 at final-reply'));
    setting.follow('250');
    deepStrictEqual(await send(setting, { message }), all('delivered'));
    strictEqual(opened, 2);
  }),

  contractCase('sends with the null reverse-path', async (setting) => {
    deepStrictEqual(await send(setting, { envelope: { from: '', to: TO } }), all('delivered'));
  }),

  ...replies,
  ...losses,

  contractCase('a refused recipient does not hold up the others', async (setting) => {
    setting.follow('450@rcpt(u2@example.com) greylisted');
    deepStrictEqual(await send(setting), ['delivered', '450 at envelope', 'delivered']);
    deepStrictEqual(
      setting.copies().map(({ to }) => to),
      [['u1@example.com', 'u3@example.com']],
    );
  }),

  contractCase('a refused recipient keeps its own failure when the message is refused', async (setting) => {
    setting.follow('451@final-reply no');
    deepStrictEqual(await send(setting), all('451 at final-reply'));
  }),

  contractCase('a source that fails midway delivers nothing', async (setting) => {
    const open = (): Readable =>
      Readable.from(
        (function* (): Generator<Buffer> {
          yield Buffer.from('Subject: half\r\n\r\n');
          throw new Error('the disk is gone');
        })(),
      );
    ok((await send(setting, { message: { open } })).every((one) => one !== 'delivered'));
    strictEqual(setting.copies().length, 0, 'half a message is no message');
  }),

  contractCase('a send that was given up before it began is aborted, and nothing is sent', async (setting) => {
    deepStrictEqual(await send(setting, { signal: AbortSignal.abort() }), all('aborted'));
    strictEqual(setting.copies().length, 0);
  }),

  contractCase('an abort before the final dot ends the send', async (setting) => {
    const { sent } = await stalledAt(setting, 'mail', new Error('the caller has given up'));
    deepStrictEqual(await sent, all('aborted'));
    strictEqual(setting.copies().length, 0);
  }),

  contractCase('after the final dot an abort waits for the reply', async (setting) => {
    const { sent } = await stalledAt(setting, 'final-reply', new Error('the caller has given up'));
    setting.release();
    deepStrictEqual(await sent, all('delivered'));
  }),

  contractCase('after the final dot the end of the time leaves it open what became of the message', async (setting) => {
    const { sent } = await stalledAt(setting, 'final-reply', new TimeIsOver('the time is over'));
    deepStrictEqual(await sent, all('lost at final-reply'));
  }),

  contractCase('many sends at once keep their recipients apart', async (setting) => {
    const count = 20;
    const sends = Array.from({ length: count }, (_, i) =>
      send(setting, { envelope: { from: 'from@example.org', to: [`one${String(i)}@example.com`] } }),
    );
    deepStrictEqual(
      (await Promise.all(sends)).flat(),
      sends.map(() => 'delivered'),
    );
    const arrived = setting.copies().flatMap(({ to }) => to);
    strictEqual(new Set(arrived).size, count);
    strictEqual(arrived.length, count);
  }),

  contractCase('leaves no listener on the signal', async (setting) => {
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await send(setting, { signal });
    setting.follow('451@mail no');
    await send(setting, { signal });
    strictEqual(getEventListeners(signal, 'abort').length, 0);
  }),
];
