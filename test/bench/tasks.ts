/**
 * What a worker process does with its peer when it is told to, and what it measures.
 */
import { benchMail, type BenchMail } from './mail.js';
import type { Peer, PeerSettings, Tally } from './peers.js';

export type Task =
  /** Sends for so long, so many messages at a time. */
  | { readonly do: 'pump'; readonly forMs: number }
  /** Sends so many messages, all at once. */
  | { readonly do: 'burst'; readonly messages: number }
  /** Sends so many messages, and looks at the memory after each so many. */
  | { readonly do: 'soak'; readonly messages: number; readonly every: number };

export interface WorkerSettings extends PeerSettings {
  readonly size: number;
  readonly recipients: number;
  readonly atOnce: number;
}

export interface Memory {
  readonly messages: number;
  readonly heapUsed: number;
  readonly rss: number;
}

export interface TaskResult {
  readonly messages: number;
  readonly ms: number;
  /** User and system time of the process, all threads. */
  readonly cpuUs: number;
  /** Since the worker started. */
  readonly tally: Tally;
  readonly memory: readonly Memory[];
}

export async function perform(task: Task, peer: Peer, settings: WorkerSettings): Promise<TaskResult> {
  const memory: Memory[] = [];
  const measured = await work(task, peer, settings, memory);
  return { ...measured, tally: peer.tally, memory };
}

type Measured = Omit<TaskResult, 'tally' | 'memory'>;

async function work(task: Task, peer: Peer, settings: WorkerSettings, memory: Memory[]): Promise<Measured> {
  const mail = benchMail(settings.size, settings.recipients);
  const watch = new StopWatch();
  switch (task.do) {
    case 'pump':
      return pump(peer, mail, settings.atOnce, task.forMs);
    case 'burst':
      await sendAll(peer, () => mail, task.messages, task.messages);
      return watch.read(task.messages);
    case 'soak':
      for (let sent = 0; sent < task.messages; sent += task.every) {
        await sendAll(peer, (i) => toOther(mail, sent + i), task.every, settings.atOnce);
        memory.push(await lookAtMemory(sent + task.every));
      }
      return watch.read(task.messages);
    default:
      return task satisfies never;
  }
}

/** Counts what is done when the time is over, so that a straggler neither counts nor stretches the time. */
async function pump(peer: Peer, mail: BenchMail, atOnce: number, forMs: number): Promise<Measured> {
  const watch = new StopWatch();
  let messages = 0;
  let measured: Measured | undefined;
  setTimeout(() => {
    measured = watch.read(messages);
  }, forMs);
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (!measured) {
        await peer.send(mail);
        messages++;
      }
    }),
  );
  return measured ?? watch.read(messages);
}

async function sendAll(peer: Peer, mailOf: (i: number) => BenchMail, messages: number, atOnce: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < messages) await peer.send(mailOf(next++));
    }),
  );
}

/** Another recipient in another domain for each message: what is remembered by name would show. */
function toOther(mail: BenchMail, i: number): BenchMail {
  return { ...mail, to: mail.to.map((_, n) => `user${String(n)}@example${String(i)}.com`) };
}

async function lookAtMemory(messages: number): Promise<Memory> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { messages, heapUsed, rss };
}

class StopWatch {
  readonly #startedAt = performance.now();
  readonly #cpu = process.cpuUsage();

  read(messages: number): Measured {
    const { user, system } = process.cpuUsage(this.#cpu);
    return { messages, ms: performance.now() - this.#startedAt, cpuUs: user + system };
  }
}
