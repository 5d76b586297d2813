/**
 * An instance of pg-boss, started: 10 exports its class as the default, 12 by name. The database may
 * still be on its way.
 */
import type PgBoss from 'pg-boss';

type Made = new (options: PgBoss.ConstructorOptions) => PgBoss;

/** Not started yet. */
export async function makeBoss(options: PgBoss.ConstructorOptions): Promise<PgBoss> {
  const exported = (await import('pg-boss')) as unknown as { readonly PgBoss?: Made; readonly default: Made };
  const Boss = exported.PgBoss ?? exported.default;
  const boss = new Boss({ schedule: false, supervise: false, ...options });
  // Who asks for something is told of it.
  boss.on('error', () => undefined);
  return boss;
}

/** @param max connections of its own */
export async function startBoss(connectionString: string, max = 2): Promise<PgBoss> {
  for (let tries = 1; ; tries++) {
    const boss = await makeBoss({ connectionString, max });
    try {
      await boss.start();
      return boss;
    } catch (error) {
      // A database that restarts comes back within seconds.
      if (tries === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
