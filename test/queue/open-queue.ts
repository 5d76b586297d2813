/**
 * A queue by the place where its mail is: `postgres://…`, `redis://…`, or a file of SQLite.
 */
import type { DeliveryQueue, QueueOptions } from 'smtp-routes/queue';

export interface OpenQueue {
  readonly queue: DeliveryQueue;
  /** Lets go of what is behind the queue, once that is closed. */
  readonly end: () => Promise<void>;
}

/** What happens to the connection itself is seen by who uses it. */
const ignore = (): undefined => undefined;

export async function openQueue(place: string, options: QueueOptions): Promise<OpenQueue> {
  if (place.startsWith('postgres:')) {
    const [{ default: pg }, { startBoss }, { pgBossQueue }] = await Promise.all([
      import('pg'),
      import('./pg-boss/start-boss.js'),
      import('smtp-routes/queue/pg-boss'),
    ]);
    const pool = new pg.Pool({ connectionString: place, max: 4 });
    pool.on('error', ignore);
    const boss = await startBoss(place, 1);
    const end = async (): Promise<void> => {
      await boss.stop({ graceful: false });
      await pool.end();
    };
    return { queue: pgBossQueue({ ...options, boss, pool }), end };
  }
  if (place.startsWith('redis:')) {
    const [{ Redis }, { bullmqQueue }] = await Promise.all([import('ioredis'), import('smtp-routes/queue/bullmq')]);
    const connection = new Redis(place, { maxRetriesPerRequest: null });
    connection.on('error', ignore);
    const end = (): Promise<void> => {
      connection.disconnect();
      return Promise.resolve();
    };
    return { queue: bullmqQueue({ ...options, connection }), end };
  }
  const [{ sqliteQueue }, { anyDriver }] = await Promise.all([
    import('smtp-routes/queue'),
    import('./sqlite-drivers.js'),
  ]);
  const database = anyDriver?.open(place);
  if (!database) throw new Error('no SQLite driver');
  return { queue: sqliteQueue({ ...options, database }), end: () => Promise.resolve() };
}
