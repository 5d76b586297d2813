/**
 * The mail that is sent.
 */

export interface BenchMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly message: Buffer;
}

const HEADER =
  'From: <sender@example.org>\r\nTo: <list@example.com>\r\nSubject: bench\r\nMessage-ID: <1@example.org>\r\n\r\n';
const LINE = `${'x'.repeat(76)}\r\n`;

/** A message of exactly `size` octets, with as many recipients in one domain. */
export function benchMail(size: number, recipients: number): BenchMail {
  const body = LINE.repeat(Math.ceil(size / LINE.length)).slice(0, size - HEADER.length - 2);
  return {
    from: 'sender@example.org',
    to: Array.from({ length: recipients }, (_, i) => `user${String(i)}@example.com`),
    message: Buffer.from(`${HEADER}${body}\r\n`),
  };
}
