/**
 * The one promise that matters most, against dice: whatever a server does at whatever byte or
 * moment, mail that it may have taken is never called undelivered, and mail that it has not taken is
 * never called delivered. So there are never two copies, and never none without a word.
 */
import { assertAccounted, seededRandom } from 'smtp-routes/testing';
import { describe, expect, it } from 'vitest';
import { inTurns } from './in-turns.js';
import { toldAttempt, toldOutcome } from './told.js';
import { startTreacherousServer, type Plan, type Treachery } from './treacherous-server.js';
import { messageOf, RECIPIENT, withRelays } from './two-relays.js';

const SEED = Number(process.env['SMTP_ROUTES_SEED'] ?? 20_140_702);
const TREACHERIES: readonly Treachery[] = ['close', 'reset', 'destroy', 'pause', '421', '450', '554'];
const MESSAGES = [messageOf(200), messageOf(4000), messageOf(60_000), messageOf(300_000), messageOf(1_000_000)];

interface Run extends Plan {
  readonly number: number;
  readonly message: Buffer;
  readonly pool: boolean;
}

function runs(count: number): Run[] {
  const random = seededRandom(SEED);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  return Array.from({ length: count }, (_, number): Run => {
    const message = pick(MESSAGES);
    const where = pick(['anywhere', 'envelope', 'end', 'time']);
    // EHLO, MAIL, RCPT and DATA take some 130 bytes; dot-stuffing adds some to the body.
    const stuffed = message.length + message.toString('latin1').split('\r\n.').length - 1;
    const total = 130 + stuffed;
    const afterBytes = {
      anywhere: random() * total,
      envelope: random() * 140,
      end: total - 30 + random() * 40,
      time: 0,
    }[where]!;
    return {
      number,
      message,
      pool: random() < 0.5,
      pipelining: random() < 0.5,
      treachery: pick(TREACHERIES),
      ...(where === 'time' ? { afterMs: random() * 12 } : { afterBytes: Math.floor(afterBytes) }),
    };
  });
}

async function tryRun({ message, pool, ...plan }: Run, seen: string[]): Promise<void> {
  const server = await startTreacherousServer(plan);
  try {
    const firstVia = { port: server.port, pool, socketTimeout: 80, greetingTimeout: 80 };
    await withRelays({ firstVia }, async ({ second, send, deliverer }) => {
      const outcome = await send(undefined, message);
      assertAccounted([RECIPIENT], outcome);
      await deliverer.close();
      const { sawDot, said } = server.witness;
      const status = toldOutcome(outcome);
      const attempt = toldAttempt(outcome.attempts[0]!);
      seen.push(status);
      const mayHold = sawDot && (said === undefined || said === 250);

      if (mayHold) expect(status).toMatch(/^(delivered|possibly-delivered) by first$/);
      if (status === 'delivered by first') expect({ sawDot, said }).toEqual({ sawDot: true, said: 250 });
      if (status === 'possibly-delivered by first') expect(attempt).toBe('lost at final-reply: stop, cool');
      if (status.startsWith('rejected')) expect(said).toBe(554);
      expect(status).not.toMatch(/^queue/);

      const copies = second.messages.length + (mayHold ? 1 : 0);
      expect(copies).toBeLessThanOrEqual(1);
      if (status === 'delivered by second') {
        expect(second.messages).toHaveLength(1);
        expect(second.messages[0]!.data.equals(message)).toBe(true);
      }
    });
  } finally {
    await server.close();
  }
}

describe(`with seed ${String(SEED)}`, () => {
  it('300 sessions that go wrong somewhere make no second copy, no false claim and no lost mail', async () => {
    const seen: string[] = [];
    await inTurns(
      runs(300),
      6,
      (run) => tryRun(run, seen),
      ({ message, ...run }) => JSON.stringify({ ...run, bytes: message.length }),
    );
    // The dice fall on every outcome often enough to prove something.
    for (const status of [
      'delivered by first',
      'delivered by second',
      'possibly-delivered by first',
      'rejected: 554',
    ]) {
      expect(seen.filter((one) => one === status).length, status).toBeGreaterThan(10);
    }
  });
});
