/**
 * A table as Mermaid text, which forges draw where Markdown is shown.
 */
import { actionText, placeText, shareText, tierText, type GraphModel } from './graph-model.js';

export function mermaid({ groups, left }: GraphModel): string {
  const lines = ['flowchart LR'];
  const relayNodes = new Map<string, string>();
  for (const [g, { matches, count, action, tiers }] of groups.entries()) {
    const more = count > matches.length ? [`and ${String(count - matches.length)} more`] : [];
    const group = `g${String(g)}`;
    lines.push(`  ${group}["${[...matches, ...more].map(escape).join('<br/>')}"]`);
    if (action !== 'relay') lines.push(`  ${group} --> ${group}end(["${escape(actionText(action))}"])`);
    for (const [t, tier] of tiers.entries()) {
      const node = `${group}t${String(t)}`;
      lines.push(`  ${group} --> ${node}{{"${tierText(t, tiers.length)}"}}`);
      for (const relay of tier.relays) {
        const known = relayNodes.get(relay.id);
        const name = known ?? `r${String(relayNodes.size)}`;
        if (known === undefined) lines.push(`  ${name}(["${escape(relay.id)}<br/>${escape(placeText(relay))}"])`);
        relayNodes.set(relay.id, name);
        const share = shareText(relay, tier);
        lines.push(`  ${node} -->${share === '' ? '' : `|"${share}"|`} ${name}`);
      }
    }
  }
  if (left.groups > 0)
    lines.push(`  rest["and ${String(left.matches)} more routes to ${String(left.groups)} other sets of relays"]`);
  return `${lines.join('\n')}\n`;
}

/** Mermaid's own character codes: a quote would end the label, and a `#` would begin a code. */
function escape(text: string): string {
  return text.replace(/[^\p{L}\p{N} .,:[\]_@/+-]/gu, (character) => `#${String(character.codePointAt(0))};`);
}
