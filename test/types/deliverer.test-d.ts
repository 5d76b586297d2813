import { describe, expectTypeOf, test } from 'vitest';
import type {
  Attempt,
  BounceProfile,
  ClassifyHook,
  Deliverer,
  DelivererOptions,
  deliverWithRetries,
  DeliveryEvent,
  DeliveryOutcome,
  Failure,
  LostFailure,
  Mail,
  MessageSource,
  RecipientOutcome,
  RecipientReport,
  RecipientStatus,
  RelayTransport,
  ReplyFailure,
  RouteTable,
  SmtpReply,
  Verdict,
} from 'smtp-routes';
import type { ManualClock, ScriptedTransport } from 'smtp-routes/testing';

declare const routes: RouteTable;
declare const transport: RelayTransport;
declare const deliverer: Deliverer;
declare function takes<T>(value: T): T;

describe('an outcome', () => {
  test('narrows by status', () => {
    const read = (result: RecipientOutcome): void => {
      expectTypeOf(result.recipient).toEqualTypeOf<string>();
      switch (result.status) {
        case 'delivered':
          expectTypeOf(result.relay).toEqualTypeOf<string>();
          expectTypeOf(result.reply).toEqualTypeOf<SmtpReply | undefined>();
          expectTypeOf(result).not.toHaveProperty('failure');
          break;
        case 'queue-for-later':
          expectTypeOf(result.retryAt).toEqualTypeOf<number>();
          expectTypeOf(result.failure).toEqualTypeOf<Failure>();
          break;
        case 'rejected':
          expectTypeOf(result.failure).toEqualTypeOf<Failure>();
          expectTypeOf(result).not.toHaveProperty('retryAt');
          break;
        case 'possibly-delivered':
          expectTypeOf(result.relay).toEqualTypeOf<string>();
          break;
        case 'discarded':
          expectTypeOf<keyof typeof result>().toEqualTypeOf<'recipient' | 'status'>();
          break;
        default:
          expectTypeOf(result).toEqualTypeOf<never>();
      }
    };
    expectTypeOf(read).parameter(0).toEqualTypeOf<RecipientOutcome>();
  });

  test('has five statuses', () => {
    expectTypeOf<RecipientStatus>().toEqualTypeOf<
      'delivered' | 'queue-for-later' | 'rejected' | 'possibly-delivered' | 'discarded'
    >();
  });

  test('cannot be changed', () => {
    expectTypeOf<DeliveryOutcome['recipients']>().toEqualTypeOf<readonly RecipientOutcome[]>();
    expectTypeOf<DeliveryOutcome>().toEqualTypeOf<Readonly<DeliveryOutcome>>();
    expectTypeOf<Attempt>().toEqualTypeOf<Readonly<Attempt>>();
  });
});

test('a failure narrows by kind', () => {
  const read = (failure: Failure): void => {
    switch (failure.kind) {
      case 'reply':
        expectTypeOf(failure).toEqualTypeOf<ReplyFailure>();
        expectTypeOf(failure.reply.code).toEqualTypeOf<number>();
        break;
      case 'lost':
        expectTypeOf(failure).toEqualTypeOf<LostFailure>();
        expectTypeOf(failure.phase).toEqualTypeOf<'connect' | 'session' | 'envelope' | 'data' | 'final-reply'>();
        break;
      case 'unsupported':
        expectTypeOf(failure.need).toEqualTypeOf<'SMTPUTF8' | 'SIZE' | 'REQUIRETLS'>();
        break;
      case 'unroutable':
      case 'aborted':
      case 'expired':
        expectTypeOf(failure.last).toEqualTypeOf<Failure | undefined>();
        expectTypeOf(failure).not.toHaveProperty('phase');
        break;
      default:
        expectTypeOf(failure).toEqualTypeOf<never>();
    }
    expectTypeOf(failure.enhanced).toEqualTypeOf<string | undefined>();
  };
  expectTypeOf(read).parameter(0).toEqualTypeOf<Failure>();
});

describe('options', () => {
  test('of a deliverer', () => {
    expectTypeOf<{ routes: RouteTable; transport: RelayTransport }>().toExtend<DelivererOptions>();
    // @ts-expect-error the transport is missing
    takes<DelivererOptions>({ routes });
    // @ts-expect-error there is no such policy
    takes<DelivererOptions>({ routes, transport, onPossiblyDelivered: 'retry' });
    // @ts-expect-error there is no such option
    takes<DelivererOptions>({ routes, transport, dedlineMs: 5 });
    // @ts-expect-error it is a number of milliseconds
    takes<DelivererOptions>({ routes, transport, deadlineMs: '5s' });
    expectTypeOf<ManualClock>().toExtend<NonNullable<DelivererOptions['clock']>>();
    expectTypeOf<ScriptedTransport>().toExtend<RelayTransport>();
  });

  test('of one delivery', () => {
    expectTypeOf<ReturnType<Deliverer['deliver']>>().resolves.toEqualTypeOf<DeliveryOutcome>();
    expectTypeOf<Parameters<Deliverer['deliver']>>().toExtend<
      [Mail, ({ signal?: AbortSignal; id?: string } | undefined)?]
    >();
    const message = new Uint8Array();
    expectTypeOf({ envelope: { from: '', to: ['a@b.example'] }, message }).toExtend<Mail>();
    expectTypeOf<MessageSource>().toExtend<Mail['message']>();
    // @ts-expect-error recipients are a list
    takes<Mail>({ envelope: { from: '', to: 'a@b.example' }, message });
  });

  test('of retries', () => {
    type Options = NonNullable<Parameters<typeof deliverWithRetries>[2]>;
    expectTypeOf<Options['profile']>().toEqualTypeOf<Partial<BounceProfile> | undefined>();
    expectTypeOf<ReturnType<typeof deliverWithRetries>>().resolves.toEqualTypeOf<DeliveryOutcome>();
  });

  test('a hook answers a verdict, and no promise of one', () => {
    expectTypeOf<ClassifyHook>().returns.toEqualTypeOf<Verdict>();
    // @ts-expect-error a promise comes too late
    takes<ClassifyHook>((_, verdict) => Promise.resolve(verdict));
    // @ts-expect-error there is no such action
    takes<ClassifyHook>(() => ({ action: 'retry', cool: false }));
  });
});

test('a report is a reply or a failure', () => {
  expectTypeOf<{ recipient: string }>().toExtend<RecipientReport>();
  expectTypeOf<{ recipient: string; reply: SmtpReply }>().toExtend<RecipientReport>();
  expectTypeOf<{ recipient: string; failure: Failure }>().toExtend<RecipientReport>();
  expectTypeOf<{ recipient: string; reply: SmtpReply; failure: Failure }>().not.toExtend<RecipientReport>();
});

test('events narrow by type', () => {
  type Settled = Extract<DeliveryEvent, { type: 'settled' }>;
  expectTypeOf<Settled['outcome']>().toEqualTypeOf<DeliveryOutcome>();
  expectTypeOf<DeliveryEvent['type']>().toEqualTypeOf<
    | 'attempt-started'
    | 'attempt-ended'
    | 'connection-opened'
    | 'connection-closed'
    | 'masked-failure'
    | 'relay-cooled'
    | 'relay-recovered'
    | 'lookup'
    | 'settled'
  >();
});

test('a deliverer is disposed of', () => {
  expectTypeOf<Deliverer>().toExtend<AsyncDisposable>();
  expectTypeOf(deliverer.health()).toEqualTypeOf<
    Record<
      string,
      {
        readonly state: 'up' | 'down' | 'unknown';
        readonly since: number;
        readonly why?: Failure;
        readonly until?: number;
      }
    >
  >();
});
