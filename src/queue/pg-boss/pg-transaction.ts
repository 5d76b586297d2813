/**
 * One transaction on a connection of the pool's.
 */
import { UnsureError } from '../engine/batches.js';
import type { PgClient, PgPool, PgRunner } from './pg-pool.js';

/**
 * @throws what the database says; then nothing of it holds
 * @throws {UnsureError} if it was to be committed and that failed, with the reason as `cause`
 */
export async function transact<T>(pool: PgPool, work: (client: PgRunner) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // Without a listener the loss of a connection would end the process.
  client.on('error', ignore);
  let isWell = false;
  let isUnsure = false;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    isUnsure = true;
    await client.query('COMMIT');
    isWell = true;
    return result;
  } catch (error) {
    isWell = await rolledBack(client);
    throw isUnsure ? new UnsureError('the commit may hold', { cause: error }) : error;
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
