/**
 * What happens during deliveries, as one union: enough to log, count and alert on without parsing
 * text. Never bodies, never credentials. `at` is in milliseconds since the epoch, `id` the
 * delivery's id.
 */
import type { Failure } from './failure.js';
import type { Attempt, DeliveryOutcome, Lookup } from './outcome.js';
import type { Verdict } from './classify.js';

export type DeliveryEvent =
  | {
      readonly type: 'attempt-started';
      readonly at: number;
      readonly id: string;
      readonly relay: string;
      readonly host: string;
      readonly port: number;
      /** Where DNS gave it. */
      readonly address?: string;
      readonly tier: number;
      readonly recipients: readonly string[];
    }
  | {
      readonly type: 'attempt-ended';
      readonly at: number;
      readonly id: string;
      readonly attempt: Attempt;
      /** The number of the connection, if one was made or reused. */
      readonly connection?: number;
      /** Recipients the relay accepted, with its reply. */
      readonly delivered: readonly string[];
      readonly response?: string;
    }
  | {
      readonly type: 'connection-opened';
      readonly at: number;
      readonly relay: string;
      readonly host: string;
      readonly port: number;
      /** Running number, unique within the process: the appliance's DCID. */
      readonly connection: number;
      readonly address?: string;
      readonly localAddress?: string;
      readonly tls?: { readonly protocol: string; readonly cipher: string };
    }
  | {
      readonly type: 'connection-closed';
      readonly at: number;
      readonly relay: string;
      readonly connection: number;
      readonly reason?: string;
    }
  /** Mail was delivered, but only after this relay had failed: failover must not hide the alert. */
  | {
      readonly type: 'masked-failure';
      readonly at: number;
      readonly id: string;
      readonly relay: string;
      readonly failure: Failure;
      readonly verdict: Verdict;
      readonly deliveredBy: string;
    }
  | {
      readonly type: 'relay-cooled';
      readonly at: number;
      readonly relay: string;
      /** Of several that the relay has, the one that failed. */
      readonly address?: string;
      readonly failure: Failure;
      readonly until: number;
    }
  | {
      readonly type: 'relay-recovered';
      readonly at: number;
      readonly relay: string;
      readonly address?: string;
      readonly downSince: number;
    }
  /** DNS was asked for the exchanges of a domain, or would have to be and cannot. */
  | ({ readonly type: 'lookup'; readonly at: number; readonly id?: string } & Lookup)
  | {
      readonly type: 'settled';
      readonly at: number;
      readonly id: string;
      readonly from: string;
      readonly outcome: DeliveryOutcome;
    };
