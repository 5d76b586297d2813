/**
 * Reads the right-hand sides of AsyncOS route text, and collects the relays they name. A text that
 * came before is not read again: most lines of a long table repeat one of a few.
 */
import { show } from './check-options.js';
import { parseDestination, type Destination } from './destination.js';
import { detached } from './detached.js';
import { Relay } from './relay.js';
import { RelayActions, type TierMember, type TierParts } from './relay-actions.js';
import type { RouteAction } from './route-table.js';
import { DISCARD, MX } from './route-table-builder.js';

type Refuse = (message: string) => void;

export class DestinationLists {
  /** Every relay named so far, by id: the destination as first written, without `/pri=`. */
  readonly relays: Map<string, Relay> = new Map<string, Relay>();
  readonly #relayActions = new RelayActions();
  readonly #byText = new Map<string, RouteAction>();
  readonly #byPlace = new Map<string, Relay>();

  /** The action for the destinations of a line. Calls `refuse` for each problem; then the answer is undefined. */
  read(text: string, refuse: Refuse): RouteAction | undefined {
    const known = this.#byText.get(text);
    if (known) return known;
    if (/^usedns$/i.test(text)) return MX;
    if (/^\/dev\/null$/i.test(text)) return DISCARD;
    const own = detached(text);
    const parts = this.#readList(own, refuse);
    if (!parts) return undefined;
    const action = this.#relayActions.of(parts);
    this.#byText.set(own, action);
    return action;
  }

  #readList(text: string, refuse: Refuse): TierParts[] | undefined {
    const tiers = new Map<number, TierMember[]>();
    const seen = new Set<Relay>();
    let sound = true;
    for (const item of text.split(',')) {
      const read = this.#readItem(item.trim(), refuse);
      if (!read) sound = false;
      else if (seen.has(read.relay)) {
        refuse(`destination ${show(item.trim())} stands twice in this line: remove one`);
        sound = false;
      } else {
        seen.add(read.relay);
        const tier = tiers.get(read.priority);
        if (tier) tier.push({ relay: read.relay, weight: 1 });
        else tiers.set(read.priority, [{ relay: read.relay, weight: 1 }]);
      }
    }
    if (!sound) return undefined;
    return [...tiers].sort(([a], [b]) => a - b).map(([priority, members]) => ({ priority, members }));
  }

  #readItem(item: string, refuse: Refuse): { relay: Relay; priority: number } | undefined {
    const [, before, digits] = /^(.*?)\/pri=(.*)$/is.exec(item) ?? [];
    const id = before ?? item;
    if (item === '') {
      // Not tolerated even at the end of a line: what is missing may be the backup.
      refuse('a destination is missing beside a comma: add it or remove the comma');
      return undefined;
    }
    const priority = digits === undefined ? 0 : parsePriority(digits);
    if (priority === undefined) refuse(`priority ${show(digits)} is not a number from 0 to 65535`);
    const destination = parseDestination(id, refuse);
    return priority === undefined || !destination ? undefined : { relay: this.#relay(id, destination), priority };
  }

  /** One place is one relay however it is spelt, so that its health and connections are shared. */
  #relay(id: string, { host, port, lookup }: Destination): Relay {
    const place = `${lookup} ${host} ${String(port)}`;
    let relay = this.#byPlace.get(place);
    if (!relay) {
      relay = new Relay(id, { host, port, lookup });
      this.#byPlace.set(place, relay);
      this.relays.set(id, relay);
    }
    return relay;
  }
}

function parsePriority(digits: string): number | undefined {
  const priority = /^\d{1,5}$/.test(digits) ? Number(digits) : Infinity;
  return priority <= 65_535 ? priority : undefined;
}
