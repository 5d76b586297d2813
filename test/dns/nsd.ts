/**
 * The name server nsd (Debian package nsd) on a loopback port, with a zone `test.` that is written to
 * a file. A name that fails is a zone of its own without a file, for which nsd answers SERVFAIL.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Resolver } from 'node:dns/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DnsRecords } from 'smtp-routes/testing';
import { freePort } from '../free-port.js';

const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
const environment = { ...process.env, PATH };

export const hasNsd: boolean = spawnSync('nsd', ['-v'], { env: environment }).error === undefined;

export class Nsd {
  readonly #folder = mkdtempSync(join(tmpdir(), 'smtp-routes-nsd-'));
  readonly #port: number;
  readonly #zone = new Map<string, DnsRecords>();
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(): Promise<Nsd> {
    const nsd = new Nsd(await freePort());
    await nsd.publish({});
    return nsd;
  }

  get address(): string {
    return `127.0.0.1:${String(this.#port)}`;
  }

  /** Starts anew, which is the surest way to have it read the zone. */
  async publish(zone: Readonly<Record<string, DnsRecords>>): Promise<void> {
    for (const [name, records] of Object.entries(zone)) this.#zone.set(name, records);
    await this.#stop();
    this.#write();
    const config = join(this.#folder, 'nsd.conf');
    const child = spawn('nsd', ['-d', '-c', config], { env: environment, stdio: 'ignore' });
    this.#process = child;
    await this.#answering(child);
  }

  async close(): Promise<void> {
    await this.#stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(): void {
    const file = (name: string): string => join(this.#folder, name);
    const failing = [...this.#zone].filter(([, { fails }]) => fails).map(([name]) => name);
    const config = [
      'server:',
      `  ip-address: 127.0.0.1@${String(this.#port)}`,
      '  server-count: 1',
      '  username: ""',
      '  database: ""',
      '  zonelistfile: ""',
      `  zonesdir: "${this.#folder}"`,
      `  pidfile: ""`,
      `  xfrdfile: ""`,
      `  xfrdir: "${this.#folder}"`,
      'remote-control:',
      '  control-enable: no',
      'zone:',
      '  name: "test."',
      `  zonefile: "${file('test.zone')}"`,
      ...failing.flatMap((name) => ['zone:', `  name: "${name}."`, `  zonefile: "${file('missing.zone')}"`]),
    ];
    writeFileSync(file('nsd.conf'), `${config.join('\n')}\n`);
    const lines = ['$ORIGIN test.', '$TTL 300', '@ SOA ns hostmaster 1 3600 600 86400 60', '@ NS ns', 'ns A 127.0.0.1'];
    for (const [name, { mx = [], a = [], aaaa = [], fails }] of this.#zone) {
      if (fails) continue;
      lines.push(
        // So that a name without records exists.
        `${name}. TXT "here"`,
        ...mx.map(([preference, exchange]) => `${name}. MX ${String(preference)} ${exchange.replace(/\.?$/, '.')}`),
        ...a.map((address) => `${name}. A ${address}`),
        ...aaaa.map((address) => `${name}. AAAA ${address}`),
      );
    }
    writeFileSync(file('test.zone'), `${lines.join('\n')}\n`);
  }

  async #answering(child: ChildProcess): Promise<void> {
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([this.address]);
    for (let tries = 0; tries < 100; tries++) {
      if (child.exitCode !== null) break;
      try {
        await resolver.resolve4('ns.test');
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    throw new Error(`nsd does not answer, exit code ${String(child.exitCode)}`);
  }

  async #stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await gone;
    clearTimeout(timer);
  }
}
