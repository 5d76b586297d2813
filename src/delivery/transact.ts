/**
 * One send through the transport, bounded and made whole: it always settles, and always with one
 * result for each recipient, whatever the transport does.
 */
import { isSuccessCode } from '../core/classify.js';
import type { Failure, Phase, SmtpReply } from '../core/failure.js';
import { failuresFromError } from '../core/failure-from-error.js';
import { readFailure, readReply } from '../core/read-failure.js';
import type { AbortControllers } from './abort-controllers.js';
import type { Deadlines } from './deadlines.js';
import type { Interruption } from './interruption.js';
import type { RelayTransport, SendRequest } from './relay-transport.js';

/** A 2xx final reply, or its absence, or a failure. */
export type SendResult =
  | { readonly reply?: SmtpReply; readonly failure?: undefined }
  | { readonly failure: Failure; readonly reply?: undefined };

export interface TransactServices {
  readonly transport: RelayTransport;
  readonly deadlines: Deadlines;
  readonly controllers: AbortControllers;
}

/** A send, and what bounds it. */
export interface BoundedRequest extends Required<Omit<SendRequest, 'signal'>> {
  /** When the send must be over, in milliseconds since the epoch. */
  readonly limitAt: number;
  readonly interruption: Interruption;
  /** How far the send has got for certain. */
  readonly phaseNow: () => Phase;
}

/** Resolves with the results in the order of `envelope.to`. Never rejects. */
export function transact(
  { transport, deadlines, controllers }: TransactServices,
  { relay, envelope, message, onEvent, limitAt, interruption, phaseNow }: BoundedRequest,
): Promise<readonly SendResult[]> {
  // A copy: what a transport does to the list it is given must not move results to other recipients.
  const to = [...envelope.to];
  if (interruption.reason) {
    const failure: Failure = { kind: 'aborted', message: interruption.reason.message };
    return Promise.resolve(to.map(() => ({ failure })));
  }
  return new Promise((resolve) => {
    const controller = controllers.take();
    let timeout: Failure | undefined;
    let limit: AbortController | undefined;
    const settle = (results: readonly SendResult[]): void => {
      deadlines.remove(deadline);
      stopListening();
      controllers.giveBack(controller);
      resolve(timeout ? timedOut(results, timeout) : results);
    };
    const stop = (reason: DOMException): void => {
      if (reason.name === 'TimeoutError') {
        timeout ??= { kind: 'lost', phase: phaseNow(), code: 'ETIMEDOUT', message: reason.message };
        // A transport that minds its signal has settled within this turn, and knows the phase.
        setImmediate(() => {
          settle(to.map(() => ({ failure: UNSETTLED })));
        });
        limit?.abort(reason);
        controller.abort(reason);
        return;
      }
      // A signal aborts once: a transport that goes on past the final dot needs to hear of the limit too.
      limit ??= new AbortController();
      controller.abort(Object.assign(new DOMException(reason.message, reason.name), { limit: limit.signal }));
    };
    const stopListening = interruption.listen(stop);
    const deadline = {
      at: limitAt,
      onPassed: () => {
        stop(new DOMException('the time for this attempt is over', 'TimeoutError'));
      },
    };
    deadlines.add(deadline);
    const { signal } = controller;
    const failed = (error: unknown): void => {
      settle(failedResults(to, error));
    };
    try {
      Promise.resolve(transport.send({ relay, envelope, message, signal, onEvent })).then((reports) => {
        settle(resultsOf(to, reports));
      }, failed);
    } catch (error) {
      // A transport that throws at once has rejected.
      failed(error);
    }
  });
}

/** `aborted` because the time was over is a fault of the relay, which took too long, and not the caller's wish. */
function timedOut(results: readonly SendResult[], timeout: Failure): readonly SendResult[] {
  return results.map((result) => (result.failure?.kind === 'aborted' ? { failure: timeout } : result));
}

const UNSETTLED: Failure = {
  kind: 'lost',
  phase: 'final-reply',
  code: 'ETIMEDOUT',
  message: 'the transport did not settle within its time, so nobody knows how far the message got',
};

/** Reports that cannot even be read are as good as a rejection. */
function resultsOf(to: readonly string[], reports: unknown): readonly SendResult[] {
  try {
    return matched(to, reports);
  } catch (error) {
    return failedResults(to, error);
  }
}

function failedResults(to: readonly string[], error: unknown): readonly SendResult[] {
  return failuresFromError(error, to).map((failure) => ({ failure }));
}

/** One result for each recipient. A recipient without exactly one report may have been sent to: nobody knows. */
function matched(to: readonly string[], reports: unknown): readonly SendResult[] {
  const list: readonly unknown[] = Array.isArray(reports) ? reports : [];
  const read = reportReader();
  const inOrder = list.length === to.length && to.every((recipient, i) => isReportFor(list[i], recipient));
  if (inOrder) return list.map(read);
  return to.map((recipient) => {
    const own = list.filter((report) => isReportFor(report, recipient));
    return own.length === 1 ? read(own[0]) : { failure: unaccounted(own.length) };
  });
}

function isReportFor(report: unknown, recipient: string): boolean {
  return typeof report === 'object' && report !== null && 'recipient' in report && report.recipient === recipient;
}

/** Reads the reports of one send. What several share they share afterwards too, so that one loss stays one failure. */
function reportReader(): (report: unknown) => SendResult {
  let lastRead: { readonly from: unknown; readonly result: SendResult } | undefined;
  return (report) => {
    const { reply, failure } = report as { reply?: unknown; failure?: unknown };
    const from = failure ?? reply;
    if (lastRead && from !== undefined && lastRead.from === from) return lastRead.result;
    const result = failure === undefined ? resultOfReply(reply) : { failure: readFailure(failure) ?? unaccounted(0) };
    lastRead = { from, result };
    return result;
  };
}

function resultOfReply(given: unknown): SendResult {
  if (given === undefined) return {};
  const reply = readReply(given);
  if (!reply) return { failure: unaccounted(0) };
  return isSuccessCode(reply.code) ? { reply } : { failure: { kind: 'reply', phase: 'final-reply', reply } };
}

function unaccounted(reports: number): Failure {
  return {
    kind: 'lost',
    phase: 'final-reply',
    code: 'EPROTOCOL',
    message: `the transport gave ${String(reports)} usable reports for this recipient where one is due`,
  };
}
