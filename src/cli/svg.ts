/**
 * A table as an SVG of its own making: a card for each group of matches on the left, its tiers beside
 * it, the relays of each tier in a row. Nothing crosses, so that the hundredth row reads like the first;
 * a relay has one colour wherever it appears. No fonts or images from elsewhere, and no script.
 */
import type { PlannedRelay } from '../core/route-plan.js';
import {
  actionText,
  placeText,
  shareText,
  tierText,
  type GraphGroup,
  type GraphModel,
  type GraphTier,
} from './graph-model.js';

const MARGIN = 28;
const CARD = { x: MARGIN, width: 300, line: 20, pad: 13 };
const TIER = { x: CARD.x + CARD.width + 56, width: 58 };
const RELAYS = { x: TIER.x + TIER.width + 18, width: 236, height: 46, gapX: 12, gapY: 10, perRow: 3 };
const GROUP_GAP = 18;
const HEADER = 84;

/** Width of a character of the monospaced font, in parts of its size. */
const ADVANCE = 0.602;

/** Distinct for colour-blind eyes as well: lightness differs along with hue. */
const COLOURS = [
  '#2563eb',
  '#c2410c',
  '#0f766e',
  '#7c3aed',
  '#a16207',
  '#be185d',
  '#15803d',
  '#475569',
  '#0369a1',
  '#9f1239',
];

export function svg(model: GraphModel, title: string): string {
  const colours = new Map<string, string>();
  const colourOf = (id: string): string => {
    const known = colours.get(id) ?? COLOURS[colours.size % COLOURS.length] ?? '';
    colours.set(id, known);
    return known;
  };
  const width = widthOf(model);
  let y = HEADER;
  const parts: string[] = [];
  for (const group of model.groups) {
    const height = heightOf(group);
    parts.push(drawGroup(group, y, height, colourOf));
    y += height + GROUP_GAP;
  }
  const { left } = model;
  if (left.groups > 0) {
    parts.push(
      text(
        MARGIN + 2,
        y + 16,
        13,
        'muted',
        `and ${count(left.matches, 'more route')} to ${count(left.groups, 'other set')} of relays`,
      ),
    );
    y += 30;
  }
  const height = y - GROUP_GAP + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${String(width)}" height="${String(height)}" viewBox="0 0 ${String(width)} ${String(height)}" role="img" aria-label="${escape(`Routes of ${title}`)}">`,
    STYLE,
    `<rect class="page" width="${String(width)}" height="${String(height)}"/>`,
    text(MARGIN, 40, 19, 'title', fit(title, 19, width - 2 * MARGIN)),
    text(
      MARGIN,
      62,
      13,
      'muted',
      `${count(model.routes, 'route')} · ${count(model.relays, 'relay')} · the most specific match wins`,
    ),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

const STYLE = `<style>
  text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #0f172a; }
  .page { fill: #f8fafc; } .card { fill: #ffffff; stroke: #cbd5e1; } .relay { fill: #ffffff; stroke: #e2e8f0; }
  .title { font-weight: 700; } .muted { fill: #64748b; } .strong { font-weight: 600; }
  .tier { fill: #e2e8f0; } .edge { fill: none; stroke: #94a3b8; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e2e8f0; } .page { fill: #0f172a; } .card, .relay { fill: #1e293b; stroke: #334155; }
    .muted { fill: #94a3b8; } .tier { fill: #334155; } .edge { stroke: #64748b; }
  }
</style>`;

/** As wide as its fullest row. */
function widthOf({ groups }: GraphModel): number {
  const most = Math.max(
    2,
    ...groups.flatMap(({ tiers }) => tiers.map(({ relays }) => Math.min(relays.length, RELAYS.perRow))),
  );
  return RELAYS.x + most * (RELAYS.width + RELAYS.gapX) - RELAYS.gapX + MARGIN;
}

function heightOf(group: GraphGroup): number {
  const tiers = group.tiers.map(tierHeight);
  const right = tiers.reduce((sum, height) => sum + height, 0) + Math.max(0, tiers.length - 1) * RELAYS.gapY;
  return Math.max(cardHeight(group), right, RELAYS.height);
}

function cardHeight(group: GraphGroup): number {
  return 2 * CARD.pad + cardLines(group).length * CARD.line - 4;
}

function tierHeight({ relays }: GraphTier): number {
  const rows = Math.ceil(relays.length / RELAYS.perRow);
  return rows * (RELAYS.height + RELAYS.gapY) - RELAYS.gapY;
}

function cardLines({ matches, count: all }: GraphGroup): { text: string; style: string }[] {
  const more = all - matches.length;
  return [
    ...matches.map((match) => ({ text: match, style: 'strong' })),
    ...(more > 0 ? [{ text: `and ${more.toLocaleString('en')} more`, style: 'muted' }] : []),
  ];
}

function drawGroup(group: GraphGroup, y: number, height: number, colourOf: (id: string) => string): string {
  const middle = y + height / 2;
  const card = cardHeight(group);
  const top = middle - card / 2;
  const lines = cardLines(group).map(({ text: line, style }, i) =>
    text(CARD.x + 16, top + CARD.pad + 12 + i * CARD.line, 13.5, style, fit(line, 13.5, CARD.width - 32), line),
  );
  const parts = [box('card', CARD.x, top, CARD.width, card, 9), ...lines];
  const from = { x: CARD.x + CARD.width, y: middle };
  if (group.action !== 'relay') {
    parts.push(
      edge(from, { x: TIER.x, y: middle }),
      text(TIER.x + 6, middle + 5, 13.5, 'muted', actionText(group.action)),
    );
    return `<g>\n${parts.join('\n')}\n</g>`;
  }
  const right = group.tiers.reduce((sum, tier) => sum + tierHeight(tier) + RELAYS.gapY, -RELAYS.gapY);
  let at = middle - right / 2;
  for (const [i, tier] of group.tiers.entries()) {
    const tall = tierHeight(tier);
    parts.push(...drawTier(tier, tierText(i, group.tiers.length), at, from, colourOf));
    at += tall + RELAYS.gapY;
  }
  return `<g>\n${parts.join('\n')}\n</g>`;
}

function drawTier(
  tier: GraphTier,
  label: string,
  y: number,
  from: { x: number; y: number },
  colourOf: (id: string) => string,
): string[] {
  const middle = y + tierHeight(tier) / 2;
  return [
    edge(from, { x: TIER.x, y: middle }),
    box('tier', TIER.x, middle - 13, TIER.width, 26, 13),
    `<text class="muted" x="${round(TIER.x + TIER.width / 2)}" y="${round(middle + 4.5)}" font-size="12" text-anchor="middle">${label}</text>`,
    ...tier.relays.map((relay, i) => {
      const x = RELAYS.x + (i % RELAYS.perRow) * (RELAYS.width + RELAYS.gapX);
      const top = y + Math.floor(i / RELAYS.perRow) * (RELAYS.height + RELAYS.gapY);
      return drawRelay(relay, shareText(relay, tier), x, top, colourOf(relay.id));
    }),
  ];
}

function drawRelay(relay: PlannedRelay, share: string, x: number, y: number, colour: string): string {
  const room = RELAYS.width - 30;
  const place = [placeText(relay), ...(relay.lookup === 'mx' ? ['by MX'] : [])].join(' ');
  const badge =
    share === ''
      ? ''
      : `<text class="muted" x="${round(x + RELAYS.width - 12)}" y="${round(y + 19)}" font-size="11.5" text-anchor="end">${share}</text>`;
  // A name that says where it is need not say so twice.
  const known = [relay.id, `${relay.id}:25`].includes(placeText(relay));
  const second = known ? [`port ${String(relay.port)}`, ...(relay.lookup === 'mx' ? ['by MX'] : [])].join(', ') : place;
  return [
    box('relay', x, y, RELAYS.width, RELAYS.height, 7),
    `<rect x="${round(x)}" y="${round(y + 7)}" width="4" height="${round(RELAYS.height - 14)}" rx="2" fill="${colour}"/>`,
    text(x + 15, y + 19, 13, 'strong', fit(relay.id, 13, room - share.length * 12 * ADVANCE), relay.id),
    badge,
    text(x + 15, y + 36, 11.5, 'muted', fit(second, 11.5, room), second),
  ].join('\n');
}

function box(style: string, x: number, y: number, width: number, height: number, radius: number): string {
  return `<rect class="${style}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${String(radius)}"/>`;
}

function edge(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const bend = (to.x - from.x) / 2;
  return `<path class="edge" d="M${round(from.x)} ${round(from.y)} C${round(from.x + bend)} ${round(from.y)} ${round(to.x - bend)} ${round(to.y)} ${round(to.x)} ${round(to.y)}"/>`;
}

function text(x: number, y: number, size: number, style: string, shown: string, whole: string = shown): string {
  const full = whole === shown ? '' : `<title>${escape(whole)}</title>`;
  return `<text class="${style}" x="${round(x)}" y="${round(y)}" font-size="${String(size)}" xml:space="preserve">${full}${escape(shown)}</text>`;
}

/** Cuts what has no room; the middle goes, because names differ at both ends. */
function fit(content: string, size: number, width: number): string {
  const room = Math.floor(width / (size * ADVANCE));
  const characters = Array.from(content);
  const widths = characters.map((character) => ((character.codePointAt(0) ?? 0) > 0x10ff ? 2 : 1));
  if (widths.reduce((sum: number, one) => sum + one, 0) <= room) return content;
  const half = Math.floor((room - 1) / 2 / Math.max(...widths));
  return `${characters.slice(0, half).join('')}…${characters.slice(-half).join('')}`;
}

function count(number: number, what: string): string {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}

function round(number: number): string {
  return String(Math.round(number * 10) / 10);
}

/** Also without what XML 1.0 forbids: a viewer would refuse the whole picture. */
function escape(content: string): string {
  return content
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?') // eslint-disable-line no-control-regex
    .replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
