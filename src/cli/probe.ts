/**
 * `smtp-routes probe`: whether the relays answer, and what they offer. Sends no mail.
 */
import { OK, PROBLEMS, type CommandContext, type TextOutput } from './command-context.js';
import { probeRelay, type ProbeResult, type ProbeTarget } from './probe-relay.js';
import { probeTargets } from './probe-targets.js';
import { COMMON_OPTIONS, readArguments, wholeNumber } from './read-arguments.js';
import { counted } from './report-findings.js';
import { readRoutesFile } from './routes-file.js';
import { columns } from './table-text.js';
import { UsageError } from './usage-error.js';

const NAME = 'probe';
const OPTIONS = { ...COMMON_OPTIONS, timeout: { type: 'string', default: '10' } } as const;

/** Enough to be quick, and too few to look like an attack. */
const AT_ONCE = 10;

/** A certificate with fewer days left is worth a word. */
const FEW_DAYS = 14;

export async function probe(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, operands } = readArguments(NAME, args, OPTIONS);
  const timeoutMs = 1000 * wholeNumber(NAME, 'timeout', values.timeout, 1, 600);
  const [path, ...domains] = operands;
  if (path === undefined) throw new UsageError('which file? Give one, or - for standard input', NAME);
  const { table } = await readRoutesFile(path, context);
  const { visit, not } = await probeTargets(table, domains, await context.dns?.());
  const results = await visitAll(visit, timeoutMs, context);
  const down = results.filter(({ up }) => !up).length + not.length;
  const { out } = context;
  if (values.json) out.write(`${JSON.stringify({ ok: down === 0, relays: results, notProbed: not }, undefined, 2)}\n`);
  else out.write(describe(results, not, out));
  return down === 0 ? OK : PROBLEMS;
}

/** Visits some at a time; results keep the order of the table. */
async function visitAll(
  targets: readonly ProbeTarget[],
  timeoutMs: number,
  { clock, err }: CommandContext,
): Promise<ProbeResult[]> {
  const results: ProbeResult[] = [];
  let next = 0;
  let done = 0;
  const progress = (): void => {
    if (err.terminal) err.write(`\r\u001b[Kprobing: ${String(done)} of ${counted(targets.length, 'relay')}`);
  };
  progress();
  const work = async (): Promise<void> => {
    for (let i = next++; i < targets.length; i = next++) {
      const target = targets[i];
      if (target) results[i] = await probeRelay(target, clock, timeoutMs);
      done += 1;
      progress();
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, targets.length) }, work));
  if (err.terminal) err.write('\r\u001b[K');
  return results;
}

function describe(
  results: readonly ProbeResult[],
  not: readonly { readonly relay: string; readonly why: string }[],
  { paint }: TextOutput,
): string {
  const rows = results.map((result) => {
    const { relay, host, port, up, ms, why } = result;
    const at = `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
    return [
      up ? 'up' : 'down',
      relay,
      relay === at || relay === host ? '' : at,
      `${String(ms)} ms`,
      why ?? offers(result),
    ];
  });
  rows.push(...not.map(({ relay, why }) => ['?', relay, '', '', why]));
  if (rows.length === 0) return 'No relay to probe.\n';
  const [head = '', ...lines] = columns(['', 'relay', 'at', '>time', ''], rows);
  const painted = lines.map((line) =>
    line.replace(/^ {2}(up|down|\?)/, (_, word: string) => `  ${paint(word === 'up' ? 'green' : 'red', word)}`),
  );
  const up = results.filter((result) => result.up).length;
  return `${[head, ...painted, '', `${String(up)} of ${counted(results.length + not.length, 'relay')} up`].join('\n')}\n`;
}

function offers({ tls, extensions }: ProbeResult): string {
  const words = extensions.filter((line) => !/^(?:STARTTLS|HELP)\b/i.test(line)).join(', ');
  if (!tls) return ['no TLS', words].filter((part) => part !== '').join('; ');
  const { protocol, daysLeft, trusted } = tls;
  const days =
    daysLeft === undefined
      ? ''
      : daysLeft < 0
        ? ', certificate has expired'
        : `, certificate ${counted(daysLeft, 'day')}${daysLeft < FEW_DAYS ? ' left!' : ''}`;
  return [`${protocol}${days}${trusted ? '' : ', not trusted'}`, words].filter((part) => part !== '').join('; ');
}
