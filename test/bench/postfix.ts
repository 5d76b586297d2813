/**
 * A Postfix of the bench's own, with its queue in a scratch folder, that relays everything to one
 * host: what an app without a queue of its own would hand its mail to. Needs root.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../free-port.js';

const run = promisify(execFile);

const SERVICES = `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`;

export interface Postfix extends AsyncDisposable {
  /** Hands in so many messages over so many connections, and resolves when all have been relayed: messages a second. */
  rate(messages: number, connections: number, size: number): Promise<number>;
}

/** Undefined, with a word why, where it cannot run. */
export async function startPostfix(relayPort: number): Promise<Postfix | undefined> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/sbin/postfix')) {
    console.log('  Postfix is not measured: it needs root, and to be installed');
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-postfix-'));
  for (const name of ['etc', 'spool', 'data']) mkdirSync(join(folder, name));
  spawnSync('chmod', ['755', folder]);
  spawnSync('chown', ['postfix', join(folder, 'data')]);
  const port = await freePort();
  writeFileSync(
    join(folder, 'etc', 'main.cf'),
    `compatibility_level = 3.6
queue_directory = ${folder}/spool
data_directory = ${folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = bench.test
mydestination =
local_recipient_maps =
alias_maps =
relayhost = [127.0.0.1]:${String(relayPort)}
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
maillog_file = ${folder}/data/mail.log
maillog_file_prefixes = ${folder}
`,
  );
  writeFileSync(join(folder, 'etc', 'master.cf'), `${String(port)} inet n - n - - smtpd\n${SERVICES}`);
  const postfix = (verb: string): unknown =>
    spawnSync('postfix', ['-c', join(folder, 'etc'), verb], { timeout: 20_000 });
  postfix('start');
  return {
    rate: async (messages, connections, size) => {
      const startedAt = performance.now();
      const flags = ['-s', connections, '-m', messages, '-l', size].map(String);
      await run('smtp-source', [...flags, '-f', 'a@bench.test', '-t', 'user@domain.test', `127.0.0.1:${String(port)}`]);
      while (['maildrop', 'incoming', 'active', 'deferred'].some((name) => holdsFiles(join(folder, 'spool', name)))) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return (messages * 1000) / (performance.now() - startedAt);
    },
    [Symbol.asyncDispose]: () => {
      postfix('stop');
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

function holdsFiles(folder: string): boolean {
  return readdirSync(folder).some((name) => {
    const path = join(folder, name);
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isDirectory() ? holdsFiles(path) : found !== undefined;
  });
}
