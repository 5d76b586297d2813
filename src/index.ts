/**
 * `smtp-routes`: routes, verdicts, rotation, and the deliverer that follows them. Imports no
 * nodemailer: that is `smtp-routes/nodemailer`.
 */
export { bounceProfile, type BounceProfile } from './core/bounce-profile.js';
export { classify, VERDICTS, type ClassifyHook, type FailurePlace, type Verdict } from './core/classify.js';
export { RouteConfigError, type ConfigProblem } from './core/config-error.js';
export { defineRoutes, type RouteDefinition, type RoutesDefinition, type TierEntry } from './core/define-routes.js';
export type { DeliveryEvent } from './core/delivery-event.js';
export type { Cooling } from './core/health.js';
export type {
  Failure,
  LostFailure,
  Phase,
  ReplyFailure,
  SmtpReply,
  UnsupportedFailure,
  UntriedFailure,
} from './core/failure.js';
export type { ConsideredPattern, RouteExplanation } from './core/explain-route.js';
export { formatSmtpRoutes } from './core/format-smtp-routes.js';
export { mailLog } from './core/mail-log.js';
export type {
  Attempt,
  DeliveryOutcome,
  LookedUpExchange,
  Lookup,
  RecipientOutcome,
  RecipientStatus,
  RefusedRecipient,
} from './core/outcome.js';
export { parseSmtpRoutes, type ParseOptions } from './core/parse-smtp-routes.js';
export type { GetSocket, Relay, SmtpVia, TransportVia, Via } from './core/relay.js';
export type { PlannedRelay, RoutePlan, Tier } from './core/route-plan.js';
export { RouteResolver } from './core/route-resolver.js';
export type { RouteTable, Rule } from './core/route-table.js';
export { deliverWithRetries, type RetryOptions } from './delivery/deliver-with-retries.js';
export { Deliverer, type DeliverOptions, type RelayReport } from './delivery/deliverer.js';
export type { DelivererOptions } from './delivery/deliverer-options.js';
export type { PossiblyDeliveredPolicy } from './delivery/delivery.js';
export type { DnsLookup, MxAnswer, MxExchange, MxQuestion } from './delivery/dns-lookup.js';
export type { Mail } from './delivery/mail.js';
export type { MailQueue, Submission, SubmitOptions } from './delivery/mail-queue.js';
export type { MxOptions } from './delivery/mx-options.js';
export type { OnEvent } from './delivery/observer.js';
export type {
  ConnectionInfo,
  DsnParameters,
  Envelope,
  Message,
  MessageSource,
  RecipientReport,
  RelayTransport,
  SendRequest,
  TransportEvent,
} from './delivery/relay-transport.js';
export type { Clock } from './delivery/system-clock.js';
