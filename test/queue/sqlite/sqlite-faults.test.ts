/**
 * What can go wrong with the database, the clock and the workers: a clear error or event, nothing
 * lost, nothing half-stored.
 */
import { spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { sqliteQueue, type DeliveryQueue, type QueueEvent, type SqliteQueueOptions } from 'smtp-routes/queue';
import { ManualClock, ScriptedTransport, type Script } from 'smtp-routes/testing';
import { newHolder } from '../../../src/queue/holder.js';
import { anyDriver, drivers, scratch, type Database, type Driver } from '../sqlite-drivers.js';

const MAIL = { envelope: { from: 'sender@example.net', to: ['user@example.com'] }, message: 'Subject: x\r\n\r\n' };
const MINUTE = 60_000;

interface Setting {
  readonly file: string;
  readonly clock: ManualClock;
  readonly database: () => Database;
  readonly queue: (options?: Partial<SqliteQueueOptions> & { script?: Script }) => {
    queue: DeliveryQueue;
    transport: ScriptedTransport;
    events: QueueEvent[];
    database: Database;
  };
}

function setUp(driver: Driver): Setting {
  const folder = scratch();
  const clock = new ManualClock();
  const open: (() => unknown)[] = [];
  onTestFinished(async () => {
    for (const close of open.reverse()) await close();
    folder.remove();
  });
  const database = (): Database => {
    const opened = driver.open(folder.file);
    open.push(() => opened.close());
    return opened;
  };
  return {
    file: folder.file,
    clock,
    database,
    queue: ({ script, ...options } = {}) => {
      const transport = new ScriptedTransport(script === undefined ? {} : { main: script });
      const deliverer = new Deliverer({
        routes: defineRoutes({
          relays: { main: { host: '192.0.2.1' } },
          routes: [{ match: 'ALL', tiers: [['main']] }],
        }),
        transport,
        clock,
        random: () => 0.5,
      });
      const events: QueueEvent[] = [];
      const own = options.database ? undefined : database();
      const given = (options.database ?? own) as Database;
      const queue = sqliteQueue({ deliverer, onEvent: (event) => events.push(event), ...options, database: given });
      open.push(() => queue.close());
      return { queue, transport, events, database: given };
    },
  };
}

describe.each(drivers)('$name', (driver) => {
  const there = test.skipIf(driver.missing !== undefined);

  there('a full disk: submit rejects, says why, and nothing is half-stored', async () => {
    const { queue, database } = setUp(driver).queue();
    await queue.submit(MAIL);
    database.exec('PRAGMA max_page_count = 1');
    const long = Buffer.alloc(600_000, 'x');
    await expect(queue.submit({ ...MAIL, message: long })).rejects.toMatchObject({
      code: 'ERR_SMTP_ROUTES_QUEUE_FULL',
    });
    const all = await Promise.allSettled(
      Array.from({ length: 9 }, () => queue.submit({ ...MAIL, message: long.subarray(0, 200_000) })),
    );
    expect(all.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => 'rejected'));
    database.exec('PRAGMA max_page_count = 1000000');
    expect((await queue.show()).entries).toHaveLength(1);
    expect(database.prepare('SELECT count(*) AS n FROM smtp_routes_piece').get()).toMatchObject({ n: 0 });
    expect(await queue.runDue()).toHaveLength(1);
  });

  there('a locked database: waited for, and then refused clearly', async () => {
    const setting = setUp(driver);
    const { queue } = setting.queue({ lockTimeoutMs: 100 });
    const other = setting.database();
    other.exec('BEGIN IMMEDIATE');
    await expect(queue.submit(MAIL)).rejects.toMatchObject({ code: 'ERR_SMTP_ROUTES_QUEUE_LOCKED' });
    const waiting = queue.submit(MAIL);
    other.exec('COMMIT');
    await waiting;
    expect((await queue.show()).entries).toHaveLength(1);
  });

  there('what only looks waits for a lock as well', async () => {
    const setting = setUp(driver);
    const database = setting.database();
    let locked = Infinity;
    let asked = 0;
    const prepare: Database['prepare'] = (sql) => {
      const statement = database.prepare(sql);
      // As while another process puts the log in order, which takes the right moment of a kill.
      const refusing = (): void => {
        if (++asked <= locked) return;
        throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY_RECOVERY' });
      };
      return {
        run: (...values) => statement.run(...values),
        get: (...values) => (refusing(), statement.get(...values)),
        all: (...values) => (refusing(), statement.all(...values)),
      };
    };
    const { queue } = setting.queue({
      database: { exec: (sql: string) => database.exec(sql), prepare },
      lockTimeoutMs: 100,
    });
    await queue.submit(MAIL);
    locked = asked;
    await expect(queue.counters()).rejects.toMatchObject({ code: 'ERR_SMTP_ROUTES_QUEUE_LOCKED' });
    const counters = queue.counters();
    setTimeout(() => (locked = Infinity), 10);
    expect(await counters).toMatchObject({ active: 1 });
  });

  there('a file that another process is about to make as well is opened, by both', async () => {
    const setting = setUp(driver);
    const database = setting.database();
    const other = setting.database();
    let meetings = 0;
    const exec = (sql: string): unknown => {
      if (!sql.includes('journal_mode') || meetings++ > 0) return database.exec(sql);
      other.exec('BEGIN IMMEDIATE');
      try {
        return database.exec(sql);
      } finally {
        other.exec('COMMIT');
      }
    };
    const first = { exec, prepare: (sql: string) => database.prepare(sql) };
    const { queue } = setting.queue({ database: first });
    await queue.submit(MAIL);
    expect(meetings).toBe(2);
    expect((await setting.queue({ database: other }).queue.show()).entries).toHaveLength(1);
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  });

  there('a read-only database is refused', async () => {
    const setting = setUp(driver);
    const { queue, database } = setting.queue();
    database.exec('PRAGMA query_only = 1');
    await expect(queue.submit(MAIL)).rejects.toMatchObject({ code: 'ERR_SMTP_ROUTES_QUEUE_READ_ONLY' });
    database.exec('PRAGMA query_only = 0');
    await queue.submit(MAIL);
  });

  there('tables of a newer version are refused at once, and left alone', () => {
    const setting = setUp(driver);
    const { database } = setting.queue();
    database.exec('UPDATE smtp_routes_schema SET version = 99');
    expect(() => setting.queue({ database: setting.database() })).toThrow(
      expect.objectContaining({ code: 'ERR_SMTP_ROUTES_QUEUE_SCHEMA' }),
    );
  });

  there('the log is synced at each commit', () => {
    const { database } = setUp(driver).queue();
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
  });

  there('a damaged row is set aside and reported, and the rest goes on', async () => {
    const { queue, database, events, transport } = setUp(driver).queue();
    await queue.submit(MAIL, { id: 'damaged' });
    await queue.submit(MAIL, { id: 'sound' });
    await queue.submit(MAIL, { id: 'without-message' });
    database.exec(`UPDATE smtp_routes_entry SET data = '{"v":1,"recip' WHERE seq = 1`);
    database.exec("UPDATE smtp_routes_message SET data = '[]' WHERE id = 'without-message'");
    expect((await queue.runDue()).map(({ id }) => id)).toEqual(['sound']);
    const aside = events.flatMap((event) => (event.type === 'set-aside' ? [event.id] : []));
    expect(aside.sort()).toEqual(['damaged', 'without-message']);
    expect(transport.trace).toHaveLength(1);
    expect(database.prepare('SELECT count(*) AS n FROM smtp_routes_entry WHERE state = 3').get()).toMatchObject({
      n: 2,
    });
  });

  describe.each(['entry', 'message'])('what a newer version wrote, the %s', (table) => {
    there('is left to it', async () => {
      const { queue, database, events } = setUp(driver).queue();
      await queue.submit(MAIL);
      database.exec(`UPDATE smtp_routes_${table} SET data = json_set(data, '$.v', 2)`);
      expect(await queue.runDue()).toEqual([]);
      expect(events.map(({ type }) => type)).toEqual(['stored']);
      expect(database.prepare('SELECT state FROM smtp_routes_entry').get()).toMatchObject({ state: 0 });
    });
  });

  there.each([
    ['cut short', 'UPDATE smtp_routes_message SET body = substr(body, 1, 10)', 'short'],
    ['without its last piece', 'DELETE FROM smtp_routes_piece WHERE part = 2', 'long'],
    [
      'with a piece too long',
      "UPDATE smtp_routes_piece SET bytes = CAST(bytes || 'more' AS BLOB) WHERE part = 2",
      'long',
    ],
  ])('a body %s is no mail delivered, and waits', async (_, damage, length) => {
    const { clock, queue: open } = setUp(driver);
    const { queue, database, events, transport } = open();
    const message = length === 'long' ? Buffer.alloc(600_000, 'x') : MAIL.message;
    await queue.submit({ ...MAIL, message });
    database.exec(damage);
    await queue.runDue();
    expect(transport.trace.map(({ body }) => body?.byteLength)).toEqual([undefined]);
    expect(events.map(({ type }) => type)).toEqual(['stored', 'attempted', 'deferred']);
    expect(clock.now()).toBeLessThan((await queue.show()).entries[0]?.nextAttemptAt ?? 0);
  });

  there('a body that cannot be read to its end is not stored', async () => {
    const { queue, database } = setUp(driver).queue();
    const open = (): Readable =>
      Readable.from(
        (function* () {
          for (let i = 0; i < 10; i++) yield Buffer.alloc(100_000, 'x');
          throw new Error('the file was cut off');
        })(),
      );
    await expect(queue.submit({ ...MAIL, message: { open } })).rejects.toThrow('the file was cut off');
    for (const table of ['message', 'piece', 'entry']) {
      expect(database.prepare(`SELECT count(*) AS n FROM smtp_routes_${table}`).get()).toMatchObject({ n: 0 });
    }
  });

  there('what is half-stored and cannot be dropped either is swept later, and hides no error', async () => {
    const { queue, database } = setUp(driver).queue();
    const count = (table: string): number =>
      (database.prepare(`SELECT count(*) AS n FROM smtp_routes_${table}`).get() as { n: number }).n;
    const open = (): Readable =>
      Readable.from(
        (async function* () {
          while (count('piece') === 0) {
            yield Buffer.alloc(100_000, 'x');
            await new Promise((resolve) => setImmediate(resolve));
          }
          // As a disk that is full: nothing more is written, no deletion either.
          database.exec('PRAGMA query_only = 1');
          throw new Error('the file was cut off');
        })(),
      );
    await expect(queue.submit({ ...MAIL, message: { open } })).rejects.toThrow('the file was cut off');
    await expect(queue.runDue()).rejects.toThrow('read-only');
    expect(count('message'), 'still full').toBe(1);
    database.exec('PRAGMA query_only = 0');
    await queue.runDue();
    for (const table of ['message', 'piece']) expect(count(table)).toBe(0);
    await queue.submit({ ...MAIL, message: Buffer.alloc(600_000, 'x') });
    expect(await queue.runDue()).toHaveLength(1);
  });

  there('a result that cannot be stored leaves nothing of its bounce', async () => {
    const { clock, queue: open } = setUp(driver);
    const body = Buffer.from(`Subject: bounce\r\n\r\n${'0123456789abcde\r\n'.repeat(40_000)}`);
    const bounces = (): Promise<{ envelope: { from: ''; to: string[] }; message: Buffer }> =>
      Promise.resolve({ envelope: { from: '', to: [MAIL.envelope.from] }, message: body });
    const { queue, database, transport, events } = open({
      script: [['stall@mail', '550@rcpt no such user'], '250'],
      bounces,
    });
    const first = queue.submit(MAIL, { wait: 'first-attempt' });
    while (transport.busy() === 0) await new Promise((resolve) => setImmediate(resolve));
    database.exec('ALTER TABLE smtp_routes_domain RENAME TO away');
    transport.release();
    while (!events.some((event) => event.type === 'trouble')) await new Promise((resolve) => setImmediate(resolve));
    database.exec('ALTER TABLE away RENAME TO smtp_routes_domain');
    await clock.runUntil(first);
    expect(database.prepare('SELECT count(*) AS n FROM smtp_routes_message').get()).toMatchObject({ n: 1 });
    await queue.runDue();
    expect(transport.trace.at(-1)?.body).toEqual(body);
    expect(database.prepare('SELECT count(*) AS n FROM smtp_routes_piece').get()).toMatchObject({ n: 0 });
  });

  there('the clock set back: mail does not wait for the old time', async () => {
    const setting = setUp(driver);
    const { queue } = setting.queue({ script: ['450@rcpt later', '250'] });
    await queue.submit(MAIL);
    await queue.runDue();
    await queue.close();
    const earlier = new ManualClock(setting.clock.now() - 24 * 60 * MINUTE);
    const deliverer = new Deliverer({
      routes: defineRoutes({ relays: { main: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['main']] }] }),
      transport: new ScriptedTransport(),
      clock: earlier,
    });
    const again = sqliteQueue({ deliverer, database: setting.database() });
    await again.runDue();
    await earlier.advance(2 * MINUTE);
    expect(await again.runDue()).toHaveLength(1);
    await again.close();
  });

  there('the clock set far forward: tried once more before it is given up', async () => {
    const { clock, queue: open } = setUp(driver);
    const { queue } = open({ script: ['450@rcpt later', '250'] });
    await queue.submit(MAIL);
    await queue.runDue();
    await clock.advance(1000 * 60 * MINUTE);
    expect((await queue.runDue())[0]?.recipients[0]?.status).toBe('delivered');
  });

  there('a lease that was lost: the late result removes what was delivered and undoes nothing', async () => {
    const setting = setUp(driver);
    const slow = setting.queue({ script: ['stall@mail', '250'], leaseMs: MINUTE });
    const to = ['one@example.com', 'two@example.com'];
    const first = slow.queue.submit({ ...MAIL, envelope: { ...MAIL.envelope, to } }, { wait: 'first-attempt' });
    while (slow.transport.busy() === 0) await new Promise((resolve) => setImmediate(resolve));
    // Stopped, as by SIGSTOP: nobody renews the lease.
    slow.database.exec('UPDATE smtp_routes_entry SET lease_until = 0');
    const other = setting.queue({ script: ['450@rcpt later'] });
    expect(await other.queue.runDue()).toHaveLength(1);
    expect(other.events.some(({ type }) => type === 'claims-freed')).toBe(true);
    slow.transport.release();
    const { outcome } = await first;
    expect(outcome?.recipients.map(({ status }) => status)).toEqual(['delivered', 'delivered']);
    expect(slow.events.find(({ type }) => type === 'lease-lost')).toMatchObject({ delivered: to });
    await setting.clock.advance(5 * MINUTE);
    expect(await other.queue.runDue(), 'nothing is left to try').toEqual([]);
    expect(await other.queue.counters()).toMatchObject({ active: 0, delivered: 2 });
  });

  there("a lease that was lost: the late failure is nobody's, neither told to the app nor to the sender", async () => {
    const setting = setUp(driver);
    const slow = setting.queue({ script: [['stall@mail', '550@rcpt 5.1.1 no such user']], leaseMs: MINUTE });
    const first = slow.queue.submit(MAIL, { wait: 'first-attempt' });
    while (slow.transport.busy() === 0) await new Promise((resolve) => setImmediate(resolve));
    slow.database.exec('UPDATE smtp_routes_entry SET lease_until = 0');
    const other = setting.queue();
    expect(await other.queue.runDue()).toHaveLength(1);
    slow.transport.release();
    await first;
    expect(slow.events.map(({ type }) => type)).toEqual(['stored', 'lease-lost']);
    expect(await other.queue.runDue()).toEqual([]);
    expect(await other.queue.counters()).toMatchObject({ active: 0, delivered: 1, hardBounces: { '5xx': 0 } });
  });

  there('a result that the store does not take for longer than the lease is not sent again', async () => {
    const { clock, queue: open } = setUp(driver);
    const { queue, database, transport, events } = open({ script: ['stall@mail', '250'], leaseMs: MINUTE });
    const first = queue.submit(MAIL, { wait: 'first-attempt' });
    while (transport.busy() === 0) await new Promise((resolve) => setImmediate(resolve));
    database.exec('PRAGMA query_only = 1');
    transport.release();
    const isSettling = (): boolean => events.some((event) => event.type === 'trouble' && event.during === 'settling');
    while (!isSettling()) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(2 * MINUTE);
    // A further try may be under way: its turns, until it sleeps again.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    database.exec('PRAGMA query_only = 0');
    expect(await queue.runDue()).toEqual([]);
    await clock.advance(MINUTE);
    expect((await first).outcome?.recipients[0]?.status).toBe('delivered');
    expect(transport.trace).toHaveLength(1);
    expect(await queue.counters()).toMatchObject({ active: 0, delivered: 1 });
  });

  there('claims of a dead process of this host are free at once', async () => {
    const setting = setUp(driver);
    const { queue, database, events } = setting.queue();
    await queue.submit(MAIL);
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const holder = newHolder().replace(` ${String(process.pid)} `, ` ${String(pid)} `);
    database.exec(`UPDATE smtp_routes_entry SET state = 1, lease_until = 9e15, holder = '${holder}'`);
    expect(await queue.runDue()).toHaveLength(1);
    expect(events).toContainEqual(expect.objectContaining({ type: 'claims-freed', why: 'dead', entries: 1 }));
  });

  there('a profile that is not valid here does not stop its mail, nor the queue', async () => {
    const { queue, database, events, transport } = setUp(driver).queue({ script: ['450@rcpt later', '250', '250'] });
    await queue.submit(MAIL, { id: 'newer', profile: { maxRetries: 0 } });
    database.exec("UPDATE smtp_routes_message SET data = json_set(data, '$.profile.maxBounces', 1)");
    queue.start();
    await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain('attempted'));
    expect(events.filter(({ type }) => type === 'trouble')).toEqual([
      expect.objectContaining({
        during: 'reading the profile of newer',
        error: expect.objectContaining({ message: expect.stringContaining('profile.maxBounces: unknown option') }),
      }),
    ]);
    expect((await queue.show()).entries, 'goes by the profile of the queue').toMatchObject([{ retries: 1 }]);
    await queue.submit(MAIL, { wait: 'first-attempt' });
    expect(transport.trace).toHaveLength(2);
  });

  there('claims of other hosts hold for their lease', async () => {
    const { queue, database } = setUp(driver).queue();
    await queue.submit(MAIL);
    database.exec("UPDATE smtp_routes_entry SET state = 1, lease_until = 9e15, holder = 'elsewhere 1 x y'");
    database.exec('UPDATE smtp_routes_domain SET due_new = NULL');
    expect(await queue.runDue()).toEqual([]);
  });
});

test('there is a driver to test with', () => {
  expect(anyDriver ?? 'none: the tests of the durable queue were skipped').toBeTruthy();
});
