/**
 * `smtp-routes/testing`: what a test of mail routing needs. It imports no test runner, so it works
 * under any.
 */
export { assertAccounted } from './assert-accounted.js';
export { assertRoute } from './assert-route.js';
export { assertShares } from './assert-shares.js';
export type { AssertSharesOptions, Shares } from './assert-shares.js';
export type { ContractCase } from './contract.js';
export { deliveryQueueContract } from './delivery-queue-contract.js';
export { describeRoutes } from './describe-routes.js';
export { dnsLookupContract } from './dns-lookup-contract.js';
export type { DnsLookupSetting, DnsRecords } from './dns-lookup-contract.js';
export { ManualClock } from './manual-clock.js';
export { messageStoreContract } from './message-store-contract.js';
export type { MessageStoreSetting } from './message-store-contract.js';
export type { QueueSetting } from './queue-stage.js';
export { recordEvents } from './record-events.js';
export type { EventRecorder } from './record-events.js';
export { relayTransportContract } from './relay-transport-contract.js';
export type { RelayTransportSetting } from './relay-transport-contract.js';
export { STAGES, parseScriptLine } from './script.js';
export type { Action, Directive, Stage, Which } from './script.js';
export type { Script, ScriptMoment, SessionLines } from './scripted-sessions.js';
export { ScriptedTransport } from './scripted-transport.js';
export type { ScriptedSend, ScriptedTransportOptions } from './scripted-transport.js';
export { seededRandom } from './seeded-random.js';
export { selfSignedCertificate } from './self-signed.js';
export type { SelfSigned, SelfSignedOptions } from './self-signed.js';
export { simulate } from './simulate.js';
export type { SimulateOptions, SimulatedQueueEntry, SimulatedRelay, Simulation } from './simulation.js';
export type { RecordedMessage, RecordedSession } from './smtp-record.js';
export { startSmtpServer } from './smtp-server.js';
export type { SmtpTestServer } from './smtp-server.js';
export type { SmtpServerOptions } from './smtp-server-options.js';
