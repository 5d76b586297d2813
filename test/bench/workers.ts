/**
 * Each peer in a process of its own: its CPU time is its own, and so is its garbage.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineResult, EngineTask } from './engine-main.js';
import type { EngineSettings } from './engine-peers.js';
import type { Task, TaskResult, WorkerSettings } from './tasks.js';

/** What a worker answers to a task. */
type Answer<Result> = { readonly result: Result } | { readonly problem: string };

export class Workers implements AsyncDisposable {
  readonly #running = new Set<{ stop(): Promise<void> }>();

  start(settings: WorkerSettings, nodeOptions: readonly string[] = []): Worker {
    return this.#start('worker-main.mjs', settings, nodeOptions);
  }

  startEngine(settings: EngineSettings, nodeOptions: readonly string[] = []): Worker<EngineTask, EngineResult> {
    return this.#start('engine-main.mjs', settings, nodeOptions);
  }

  #start<T extends object, R>(program: string, settings: object, nodeOptions: readonly string[]): Worker<T, R> {
    // Built together with this file, and beside it.
    const file = fileURLToPath(new URL(program, import.meta.url));
    const worker = new Worker<T, R>(fork(file, [JSON.stringify(settings)], { execArgv: [...nodeOptions] }));
    this.#running.add(worker);
    return worker;
  }

  /** Ends all workers. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((worker) => worker.stop()));
    this.#running.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export class Worker<T extends object = Task, R = TaskResult> {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @throws {Error} if the task failed, or the worker ended */
  async perform(task: T): Promise<R> {
    const child = this.#child;
    const answer = await new Promise<Answer<R>>((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`a worker ended with ${String(code)}`));
      child.once('exit', onExit);
      child.once('message', (message: Answer<R>) => {
        child.off('exit', onExit);
        resolve(message);
      });
      child.send(task, (error) => {
        if (error) reject(new Error('a worker ended before its task', { cause: error }));
      });
    });
    if ('problem' in answer) throw new Error(answer.problem);
    return answer.result;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await gone;
    clearTimeout(timer);
  }
}
