/**
 * One transaction on a connection of the pool's.
 */
import type { PgClient, PgPool, PgRunner } from './pg-pool.js';

/**
 * @param work called again, once, if the commit failed: it may hold all the same, which is to be found out
 * @throws what the database says; then nothing of it holds, unless the connection was lost in the commit itself
 */
export async function transact<T>(pool: PgPool, work: (client: PgRunner) => Promise<T>): Promise<T> {
  const reached = { commit: false };
  try {
    return await once(pool, work, reached);
  } catch (error) {
    if (!reached.commit) throw error;
    return await once(pool, work, reached);
  }
}

async function once<T>(pool: PgPool, work: (client: PgRunner) => Promise<T>, reached: { commit: boolean }): Promise<T> {
  const client = await pool.connect();
  // Without a listener the loss of a connection would end the process.
  client.on('error', ignore);
  let isWell = false;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    reached.commit = true;
    await client.query('COMMIT');
    isWell = true;
    return result;
  } catch (error) {
    isWell = await rolledBack(client);
    throw error;
  } finally {
    client.off('error', ignore);
    client.release(!isWell);
  }
}

async function rolledBack(client: PgClient): Promise<boolean> {
  try {
    await client.query('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

function ignore(): void {
  // The statement under way says the same.
}
