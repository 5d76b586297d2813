/**
 * Route tables beside a plain `Map` with a suffix walk, and beside Postfix's `postmap -q` on a cdb
 * where it is installed. All in one run on one machine, in turn: trust the ratios, not the figures.
 *
 *     npx tsx test/bench/routes.ts [40000 1000000]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { detached } from '../../src/core/detached.js';
import { parseSmtpRoutes } from '../../src/core/parse-smtp-routes.js';
import { RouteResolver } from '../../src/core/route-resolver.js';
import { seededRandom } from '../../src/testing/seeded-random.js';

const LOOKUPS = 200_000;
const ROUNDS = 7;
/** Ways to deliver, shared by all routes. */
const RELAY_SETS = 500;
const FACTOR_ALLOWED = 2;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Row {
  readonly what: string;
  readonly loadMs?: number;
  readonly bytesARoute?: number;
  readonly resolvesASecond: number;
}

/** A quarter of the routes are for everything below a domain. */
const domainOf = (i: number): string => `customer${String(i)}.example${String(i % 977)}.com`;
const isSuffix = (i: number): boolean => i % 4 === 0;

function routeText(routes: number): string {
  const lines = Array.from({ length: routes - 1 }, (_, i) => {
    const set = String(i % RELAY_SETS);
    return `${isSuffix(i) ? '.' : ''}${domainOf(i)} mx${set}a.example.net/pri=0, mx${set}b.example.net/pri=0, backup.example.org/pri=10`;
  });
  return flat([...lines, 'ALL smarthost.example.net'].join('\n'));
}

/** Nine of ten addresses meet a route of their own; the rest meet ALL. */
function addresses(routes: number): string[] {
  const random = seededRandom(routes);
  return Array.from({ length: LOOKUPS }, (_, n) => {
    const i = Math.floor(random() * (routes - 1));
    const domain = random() < 0.1 ? `elsewhere${String(n)}.example` : `${isSuffix(i) ? 'mail.' : ''}${domainOf(i)}`;
    return flat(`user${String(n)}@${domain}`);
  });
}

/** As read from a socket or a file, not as a tree of concatenations. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

/** What one would write without this library: no validation, no plan. Detached, or its slices would keep the whole text. */
function plainMap(text: string): (address: string) => unknown {
  const routes = new Map<string, readonly string[]>();
  const known = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const blank = line.indexOf(' ');
    const right = line.slice(blank + 1);
    let hosts = known.get(right);
    if (!hosts) known.set(right, (hosts = detached(right).split(', ')));
    const domain = detached(line.slice(0, blank));
    routes.set(domain === 'ALL' ? domain : domain.toLowerCase(), hosts);
  }
  return (address) => {
    const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase();
    let found = routes.get(domain);
    for (let dot = domain.indexOf('.'); !found && dot >= 0; dot = domain.indexOf('.', dot + 1)) {
      found = routes.get(domain.slice(dot));
    }
    return found ?? routes.get('ALL');
  };
}

function routeResolver(text: string): (address: string) => unknown {
  const resolver = new RouteResolver(parseSmtpRoutes(text));
  return (address) => resolver.resolve(address);
}

/** Heap in use, less what `texts` keep. The expression is there because engines keep the last text that one was tried on. */
function heapBytes(): number {
  /x/.test('x');
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Loads in a function of its own, so that its text is gone when the heap is measured. */
function load(build: typeof plainMap, routes: number): { resolve: (address: string) => unknown; loadMs: number } {
  const text = routeText(routes);
  collectGarbage();
  const start = performance.now();
  const resolve = build(text);
  return { resolve, loadMs: performance.now() - start };
}

/** Resolves a second, the median of rounds taken in turn, so that both meet the same disturbances. */
function race(resolvers: readonly ((address: string) => unknown)[], texts: readonly string[]): number[] {
  const rates = resolvers.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, resolve] of resolvers.entries()) {
      let found = 0;
      const start = performance.now();
      for (const text of texts) if (resolve(text) !== undefined) found += 1;
      const seconds = (performance.now() - start) / 1000;
      if (found !== texts.length) throw new Error('a resolver found nothing');
      rates[index]?.push(texts.length / seconds);
    }
  }
  return rates.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0);
}

/** `postmap` reads keys from standard input: one process for all, so that its start does not count. */
function postmap(routes: number, texts: readonly string[]): Row | string {
  const types = spawnSync('postconf', ['-m'], { encoding: 'utf8' });
  if (types.error || !types.stdout.includes('cdb')) {
    return 'postmap -q on a cdb: skipped, Postfix with cdb is not installed';
  }
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-bench-'));
  try {
    const map = `cdb:${join(folder, 'transport')}`;
    const entries = Array.from({ length: routes - 1 }, (_, i) => `${domainOf(i)} smtp:[mx.example.net]\n`);
    writeFileSync(join(folder, 'transport'), entries.join(''));
    const start = performance.now();
    spawnSync('postmap', [map]);
    const loadMs = performance.now() - start;
    // Exact keys only: postmap itself walks no suffixes.
    const input = texts.map((text) => `${text.slice(text.indexOf('@') + 1).replace(/^mail\./, '')}\n`).join('');
    const queried = performance.now();
    spawnSync('postmap', ['-q', '-', map], { input, maxBuffer: 2 ** 30 });
    return {
      what: 'postmap -q on a cdb',
      loadMs,
      resolvesASecond: (texts.length * 1000) / (performance.now() - queried),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measure(routes: number): boolean {
  const texts = addresses(routes);
  const names = ['plain Map, suffix walk', 'RouteResolver'];
  const loaded = [plainMap, routeResolver].map((build) => {
    const before = heapBytes();
    const { resolve, loadMs } = load(build, routes);
    return { resolve, loadMs, bytesARoute: (heapBytes() - before) / routes };
  });
  const rates = race(
    loaded.map(({ resolve }) => resolve),
    texts,
  );
  const rows: Row[] = loaded.map(({ loadMs, bytesARoute }, index) => ({
    what: names[index] ?? '',
    loadMs,
    bytesARoute,
    resolvesASecond: rates[index] ?? 0,
  }));
  const peer = postmap(routes, texts);
  if (typeof peer !== 'string') rows.push(peer);

  const plain = rows[0]?.resolvesASecond ?? 0;
  const number = (value: number | undefined, digits = 0): string =>
    value === undefined
      ? '-'
      : value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
  console.log(`\n${number(routes)} routes`);
  console.log(
    `${'what'.padEnd(24)}${'load ms'.padStart(10)}${'B a route'.padStart(11)}${'resolves/s'.padStart(13)}${'of plain'.padStart(10)}`,
  );
  for (const { what, loadMs, bytesARoute, resolvesASecond } of rows) {
    console.log(
      what.padEnd(24) +
        number(loadMs).padStart(10) +
        number(bytesARoute).padStart(11) +
        number(resolvesASecond).padStart(13) +
        number(resolvesASecond / plain, 2).padStart(10),
    );
  }
  if (typeof peer === 'string') console.log(peer);
  return (rates[1] ?? 0) * FACTOR_ALLOWED >= plain;
}

const sizes = process.argv.slice(2).map(Number);
console.log(`npx tsx test/bench/routes.ts ${process.argv.slice(2).join(' ')}`.trimEnd());
console.log(`${String(cpus().length)} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`);
const within = (sizes.length > 0 ? sizes : [40_000, 1_000_000]).map(measure);
console.log(
  `\n${within.every(Boolean) ? 'within' : 'NOT within'} a factor of ${String(FACTOR_ALLOWED)} of the plain Map`,
);
process.exitCode = within.every(Boolean) ? 0 : 1;
