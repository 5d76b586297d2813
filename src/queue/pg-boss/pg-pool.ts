/**
 * The connections to PostgreSQL that the app hands in: a `Pool` of `pg`, by what it can do.
 */

export interface PgResult {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as `pg` has it: who writes the query knows its rows
  readonly rows: any[];
  readonly rowCount: number | null;
}

export interface PgClient {
  query(text: string, values?: unknown[]): Promise<PgResult>;
  release(destroy?: boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

export interface PgPool {
  query(text: string, values?: unknown[]): Promise<PgResult>;
  connect(): Promise<PgClient>;
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

/** Something that runs statements: the pool, or the client of a transaction. */
export type PgRunner = Pick<PgPool, 'query'>;
