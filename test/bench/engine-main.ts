/**
 * The worker process of the benches of engines: one peer, and tasks one after the other. Ends when
 * its parent lets go of it.
 */
import { openEnginePeer, type EnginePeer, type EngineSettings, type Submitter } from './engine-peers.js';
import { benchMail } from './mail.js';

export type EngineTask =
  /** Submits so many messages; each caller waits for one before the next. */
  | { readonly do: 'submit'; readonly messages: number; readonly callers: number }
  /** Takes what waits, until nothing is left or so many are done. */
  | { readonly do: 'drain'; readonly atMost?: number }
  /** Submits and takes in one process. */
  | { readonly do: 'both'; readonly messages: number; readonly callers: number };

export interface EngineResult {
  readonly messages: number;
  readonly ms: number;
  /** User and system time of the process, all threads. */
  readonly cpuUs: number;
  readonly statements: number;
}

const DOMAINS = 10;

const peer = await openEnginePeer(JSON.parse(process.argv[2] ?? '{}') as EngineSettings);

process.on('message', (task: EngineTask) => {
  perform(task, peer).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ problem: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => {
  void peer.close().finally(() => process.exit());
});

async function perform(task: EngineTask, peer: EnginePeer): Promise<EngineResult> {
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const before = peer.statements();
  const messages = await work(task, peer);
  const { user, system } = process.cpuUsage(cpu);
  const ms = performance.now() - startedAt;
  return { messages, ms, cpuUs: user + system, statements: peer.statements() - before };
}

async function work(task: EngineTask, peer: EnginePeer): Promise<number> {
  switch (task.do) {
    case 'submit':
      await submitAll(peer, task.messages, task.callers);
      return task.messages;
    case 'drain':
      return await peer.drain(task.atMost ?? Infinity);
    case 'both': {
      const running = peer.start();
      await submitAll(running, task.messages, task.callers);
      while (!(await peer.isEmpty())) await new Promise((resolve) => setTimeout(resolve, 5));
      await running.stop();
      return task.messages;
    }
    default:
      return task satisfies never;
  }
}

async function submitAll(to: Submitter, messages: number, callers: number): Promise<void> {
  const mail = benchMail(4096, 1);
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < messages) await to.submit({ ...mail, to: [`user@domain${String(next++ % DOMAINS)}.test`] });
    }),
  );
}
