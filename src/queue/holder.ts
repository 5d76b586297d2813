/**
 * Who holds a claim: host, process and the time the process started, so that another process on
 * the same host can tell at once that the holder is dead. Elsewhere only the lease tells.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A name for this process, different for each queue in it. */
export function newHolder(): string {
  return [thisHost(), String(process.pid), seen(process.pid)?.start ?? '', randomUUID()].join(' ');
}

/** Whether the holder was a process of this host that is no more. Holders of other hosts are never known to be dead. */
export function isDeadHere(holder: string): boolean {
  const [host, pidText, started] = holder.split(' ');
  const pid = Number(pidText);
  if (host !== thisHost() || !Number.isInteger(pid) || pid <= 0) return false;
  if (!exists(pid)) return true;
  const found = seen(pid);
  if (!found) return false;
  // Ended, and only kept until its parent asks how: in a container that may be never.
  if (found.state === 'Z' || found.state === 'X') return true;
  // Process numbers are used again, after a reboot above all.
  return started !== '' && found.start !== started;
}

let host: string | undefined;

/** The host, and within it the set of processes that see each other: containers may share a name. */
function thisHost(): string {
  host ??= `${hostname().replaceAll(' ', '-')}/${linkOf('/proc/self/ns/pid') ?? ''}`;
  return host;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is a process.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The state of a process, and the boot and the tick in which it started, where the system tells (Linux). */
function seen(pid: number): { readonly state: string; readonly start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    // The name of the program, in parentheses, may hold anything; the state is field 3, the start time field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, start] = [fields[0], fields[19]];
    return state === undefined || start === undefined ? undefined : { state, start: `${boot}/${start}` };
  } catch {
    return undefined;
  }
}
