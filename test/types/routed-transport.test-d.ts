/** Types are inferred from `createTransport(new RoutedTransport(…))`: nothing is annotated here. */
import { createTransport } from 'nodemailer';
import { describe, expectTypeOf, test } from 'vitest';
import type { Deliverer, DeliveryOutcome, MailQueue, RouteTable } from 'smtp-routes';
import { RoutedMailError, RoutedTransport, type RoutedMessageInfo } from 'smtp-routes/nodemailer';

declare const routes: RouteTable;
declare const queue: MailQueue;
declare const deliverer: Deliverer;

const transporter = createTransport(new RoutedTransport({ routes }));

describe('the transporter of a routed transport', () => {
  test('sendMail resolves with our information', () => {
    expectTypeOf(transporter.sendMail({ to: 'a@example.com' })).resolves.toEqualTypeOf<RoutedMessageInfo>();
    expectTypeOf<RoutedMessageInfo['outcome']>().toEqualTypeOf<DeliveryOutcome>();
    expectTypeOf<RoutedMessageInfo['accepted']>().toEqualTypeOf<string[]>();
    expectTypeOf<RoutedMessageInfo['queueId']>().toEqualTypeOf<string | undefined>();
  });

  test('callbacks get the same', () => {
    transporter.sendMail({ to: 'a@example.com' }, (error, info) => {
      expectTypeOf(error?.responseCode).toEqualTypeOf<number | undefined>();
      expectTypeOf(info.pending).toEqualTypeOf<string[]>();
    });
  });

  test('a caught error narrows by its class', () => {
    const read = (error: unknown): void => {
      if (error instanceof RoutedMailError) {
        expectTypeOf(error.code).toEqualTypeOf<string>();
        expectTypeOf(error.responseCode).toEqualTypeOf<number | undefined>();
        expectTypeOf(error.outcome).toEqualTypeOf<DeliveryOutcome>();
        expectTypeOf(error.rejectedErrors[0]!.recipient).toEqualTypeOf<string>();
      }
    };
    expectTypeOf(read).parameter(0).toBeUnknown();
  });

  test('verify, isIdle and close are there', () => {
    expectTypeOf(transporter.verify()).resolves.toEqualTypeOf<true>();
    expectTypeOf(transporter.isIdle()).toEqualTypeOf<boolean>();
    transporter.close();
  });
});

test('what a routed transport may be given', () => {
  new RoutedTransport({ deliverer });
  new RoutedTransport({ queue });
  new RoutedTransport({ routes, queue: () => queue });
  // @ts-expect-error There is no such option.
  new RoutedTransport({ routes, ques: queue });
  // @ts-expect-error A queue has submit().
  new RoutedTransport({ queue: { push: () => undefined } });
});
