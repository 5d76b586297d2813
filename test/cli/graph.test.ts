import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath, launch, type Browser } from './browser.js';
import { runCommand } from './run-command.js';

const graph = async (input: string, ...args: string[]): Promise<string> =>
  (await runCommand(['graph', ...args, '-'], { input })).out;

const FIVE = `example.com      exchange1.example.com/pri=0, exchange2.example.com/pri=0, [backup.example.net]:2525/pri=10
.example.com     USEDNS
partner.test     [relay.partner.test], 192.0.2.7, [2001:db8::7]:587/pri=5
spam.test        /dev/null
ALL              smarthost.example.net
`;

const MANY = Array.from({ length: 500 }, (_, i) => {
  const set = String(i % 30);
  return `customer${String(i)}.example.com mx${set}a.example.net, mx${set}b.example.net, backup.example.org/pri=10\n`;
}).join('');

const DISTINCT = Array.from(
  { length: 500 },
  (_, i) => `c${String(i)}.test h${String(i)}.test, g${String(i)}.test/pri=1\n`,
).join('');

const NASTY = JSON.stringify({
  relays: {
    '<script>fail()</script>&"\'': { host: '192.0.2.1' },
    ['long-'.repeat(20)]: { host: `${'long-'.repeat(10)}x.example.net`, port: 2525, lookup: 'mx' },
    ['リレー'.repeat(10)]: { host: '2001:db8::7', auth: { user: 'u', pass: 'hunter2' } },
  },
  routes: [
    {
      match: ['example.com', `${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`],
      tiers: [[{ relay: '<script>fail()</script>&"\'', weight: 3 }, 'long-'.repeat(20)], ['リレー'.repeat(10)]],
    },
  ],
  otherwise: 'reject',
});

describe('mermaid', () => {
  test('a node for each relay, once, and the tiers in order', async () => {
    const text = await graph(FIVE, '--format', 'mermaid');
    expect(text.split('\n').slice(0, 8)).toEqual([
      'flowchart LR',
      '  g0["example.com"]',
      '  g0 --> g0t0{{"first"}}',
      '  r0(["exchange1.example.com<br/>exchange1.example.com:25"])',
      '  g0t0 --> r0',
      '  r1(["exchange2.example.com<br/>exchange2.example.com:25"])',
      '  g0t0 --> r1',
      '  g0 --> g0t1{{"then"}}',
    ]);
    expect(text).toContain('g1 --> g1end(["to the domain#39;s own MX"])');
  });

  test('nothing of a name ends a label, and no credentials', async () => {
    const text = await graph(NASTY, '--format', 'mermaid');
    for (const line of text.split('\n'))
      expect(line.match(/"/g)?.length ?? 0).toSatisfy((quotes: number) => quotes === 0 || quotes === 2);
    expect(text).not.toMatch(/<script|hunter2/);
  });
});

test('500 routes are grouped by their relays, and what has no room is counted', async () => {
  const many = JSON.parse(await graph(MANY, '--json')) as { groups: { count: number }[]; left: object };
  expect(many.groups).toHaveLength(31);
  expect(many.left).toEqual({ groups: 0, matches: 0 });
  const distinct = JSON.parse(await graph(DISTINCT, '--json')) as { groups: unknown[]; left: object };
  expect(distinct.groups).toHaveLength(41);
  expect(distinct.left).toEqual({ groups: 460, matches: 460 });
  expect(await graph(DISTINCT)).toContain('and 460 more routes to 460 other sets of relays');
});

describe.skipIf(chromiumPath === '')(
  `in a browser${chromiumPath === '' ? ' (skipped: chromium is not installed)' : ''}`,
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launch();
    }, 60_000);
    afterAll(() => browser.close());

    /** Draws a picture, and measures what a reader would see. */
    async function measure(svg: string) {
      const page = await browser.newPage();
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      const problems: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      page.on('pageerror', (error) => problems.push(error.message));
      await page.goto(`data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`);
      // As text, because the browser's types are not those of this project.
      const seen = (await page.evaluate(`(() => {
      const boxOf = (node) => { const { x, y, width, height } = node.getBBox(); return { x, y, width, height }; };
      const all = (name) => [...document.querySelectorAll(name)];
      const root = document.documentElement;
      const texts = all('text').map((node) => ({ text: node.lastChild.textContent, ...boxOf(node) }));
      return { root: root.nodeName, width: Number(root.getAttribute('width')), height: Number(root.getAttribute('height')), texts,
        cards: all('.card').map(boxOf), relays: all('.relay').map(boxOf), scripts: all('script').length, errors: all('parsererror').length };
    })()`)) as {
        root: string;
        width: number;
        height: number;
        texts: (Box & { text: string })[];
        cards: Box[];
        relays: Box[];
        scripts: number;
        errors: number;
      };
      await page.close();
      return { ...seen, problems, requests };
    }

    interface Box {
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    }

    const overlap = (a: Box, b: Box): boolean =>
      a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

    test.each([
      ['5 routes', FIVE],
      ['500 routes', MANY],
      ['500 routes, each with relays of its own', DISTINCT],
      ['hostile names', NASTY],
    ])(
      '%s: everything has room, nothing lies over another, nothing is loaded or run',
      { timeout: 30_000 },
      async (_name, input) => {
        const seen = await measure(await graph(input));
        expect(seen).toMatchObject({ root: 'svg', scripts: 0, errors: 0, problems: [] });
        expect(seen.requests).toEqual([]);
        const outside = seen.texts.filter(
          ({ x, y, width, height }) => x < 0 || y < 0 || x + width > seen.width || y + height > seen.height,
        );
        expect(outside).toEqual([]);
        const boxes = [...seen.cards, ...seen.relays];
        for (const [i, box] of boxes.entries()) {
          expect(boxes.slice(i + 1).filter((other) => overlap(box, other))).toEqual([]);
          const inside = seen.texts.filter((text) => overlap(box, text));
          expect(
            inside.filter(({ x, width }) => x < box.x || x + width > box.x + box.width).map(({ text }) => text),
          ).toEqual([]);
        }
        expect(
          seen.texts
            .filter((text, i) => seen.texts.slice(i + 1).some((other) => overlap(text, other)))
            .map(({ text }) => text),
        ).toEqual([]);
      },
    );

    test('what is drawn is the table', async () => {
      const { texts, cards, relays } = await measure(await graph(FIVE));
      expect(cards).toHaveLength(5);
      expect(relays).toHaveLength(7);
      const rowOf = (text: string): number => texts.find((one) => one.text === text)?.y ?? NaN;
      expect(rowOf('exchange1.example.com')).toBe(rowOf('exchange2.example.com'));
      expect(rowOf('[backup.example.net]:2525')).toBeGreaterThan(rowOf('exchange1.example.com'));
      expect(texts.map(({ text }) => text)).toEqual(
        expect.arrayContaining(["to the domain's own MX", 'discarded', 'ALL', 'first', 'then']),
      );
      const hostile = await measure(await graph(NASTY));
      expect(hostile.texts.map(({ text }) => text)).toEqual(
        expect.arrayContaining(['3 of 4', 'all other domains', 'rejected']),
      );
    });
  },
);
