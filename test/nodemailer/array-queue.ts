/** A queue in memory, for the tests: it keeps a copy of what it is given, and tries again when it is told. */
import { buffer } from 'node:stream/consumers';
import type { Deliverer, DeliveryOutcome, Mail, MailQueue, Submission, SubmitOptions } from 'smtp-routes';

export class ArrayQueue implements MailQueue {
  readonly waiting: Map<string, Mail> = new Map();
  readonly submitted: (SubmitOptions | undefined)[] = [];
  closed = 0;
  readonly #deliverer: Deliverer;

  constructor(deliverer: Deliverer) {
    this.#deliverer = deliverer;
  }

  async submit(mail: Mail, options?: SubmitOptions): Promise<Submission> {
    this.submitted.push(options);
    const { message } = mail;
    const bytes = typeof message === 'object' && 'open' in message ? await buffer(message.open()) : message;
    const id = `q${String(this.submitted.length)}`;
    this.waiting.set(id, { ...mail, message: bytes });
    const outcome = await this.attempt(id);
    return options?.wait === 'first-attempt' ? { id, outcome } : { id };
  }

  async attempt(id: string): Promise<DeliveryOutcome> {
    const mail = this.waiting.get(id)!;
    const outcome = await this.#deliverer.deliver(mail);
    const to = outcome.recipients
      .filter(({ status }) => status === 'queue-for-later')
      .map(({ recipient }) => recipient);
    if (to.length === 0) this.waiting.delete(id);
    else this.waiting.set(id, { ...mail, envelope: { ...mail.envelope, to } });
    return outcome;
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

/** What to hand in as `queue`, and the queue that came of it. */
export function makeQueue(): { queue: (deliverer: Deliverer) => ArrayQueue; made: () => ArrayQueue } {
  let one: ArrayQueue | undefined;
  return { queue: (deliverer) => (one = new ArrayQueue(deliverer)), made: () => one! };
}
