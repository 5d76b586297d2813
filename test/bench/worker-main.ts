/**
 * The worker process: one peer, and tasks one after the other. Ends when its parent lets go of it.
 */
import { openPeer } from './peers.js';
import { perform, type Task, type TaskResult, type WorkerSettings } from './tasks.js';

const settings = JSON.parse(process.argv[2] ?? '{}') as WorkerSettings;
const peer = await openPeer(settings);

process.on('message', (task: Task) => {
  perform(task, peer, settings).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ problem: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => {
  void Promise.resolve(peer.close()).finally(() => process.exit());
});

function answer(message: { readonly result: TaskResult } | { readonly problem: string }): void {
  process.send?.(message);
}
