/**
 * All benches, or the named ones:
 *
 *     npm run bench -- [--quick] [--check] [throughput composed failover burst memory routes dns queue engines]
 *
 * All peers run on this machine, in turn: trust the ratios, not the figures. Missed targets fail
 * the command with `--check` only, since a busy machine misses them too.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { burst } from './burst.js';
import { composed } from './composed.js';
import { dns } from './dns.js';
import { engines } from './engines.js';
import { failover } from './failover.js';
import { memory } from './memory.js';
import { readCommandLine } from './options.js';
import { queue } from './queue.js';
import { routes } from './routes-script.js';
import { NoSinkError } from '../smtp-sink.js';
import { throughput } from './throughput.js';
import { Workers } from './workers.js';

const BENCHES = [throughput, composed, failover, burst, memory, routes, dns, queue, engines];

const options = readCommandLine(
  process.argv.slice(2),
  BENCHES.map(({ name }) => name),
);
const { names, quick, check } = options;
const manifest = createRequire(import.meta.url).resolve('nodemailer/package.json');
const nodemailer = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
console.log(
  `${String(cpus().length)} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}, nodemailer ${nodemailer.version}`,
);

await using workers = new Workers();
let missed = 0;
for (const bench of BENCHES.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const again = ['npm run bench --', ...(quick ? ['--quick'] : []), bench.name].join(' ');
  console.log(`\n== ${bench.name}: ${again}`);
  try {
    const met = await bench.run(workers, options);
    missed += met.filter((ok) => !ok).length;
  } catch (error) {
    await workers.stop();
    if (!(error instanceof NoSinkError)) throw error;
    console.log(`skipped: ${error.message}`);
    missed++;
  }
}
console.log(missed === 0 ? '\nall targets met' : `\n${String(missed)} targets missed or skipped`);
if (check && missed > 0) process.exitCode = 1;
