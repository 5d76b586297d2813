/**
 * An instance of pg-boss, started: 10 exports its class as the default, 12 by name. The database may
 * still be on its way.
 */
import type PgBoss from 'pg-boss';

type Made = new (options: PgBoss.ConstructorOptions) => PgBoss;

/** @param max connections of its own */
export async function startBoss(connectionString: string, max = 2): Promise<PgBoss> {
  const exported = (await import('pg-boss')) as unknown as { readonly PgBoss?: Made; readonly default: Made };
  const Boss = exported.PgBoss ?? exported.default;
  for (let tries = 1; ; tries++) {
    const boss = new Boss({ connectionString, max, schedule: false, supervise: false });
    // Who asks for something is told of it.
    boss.on('error', () => undefined);
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
