/**
 * The state machine of a well-behaved SMTP server: which command may follow which, and what it
 * answers unless the script says otherwise. It knows nothing of sockets. It is strict about sequence
 * (RFC 5321 4.1.4) because a lenient server would hide a client's mistakes.
 */
import { authExchange } from './auth-exchange.js';
import type { AuthResult } from './auth-exchange.js';
import { parseMailCommand, refusalOf } from './mail-command.js';
import type { MailCommand, ReplyLine } from './mail-command.js';
import type { Stage } from './script.js';
import type { RecordedMessage } from './smtp-record.js';
import type { ResolvedSmtpServerOptions } from './smtp-server-options.js';

/** What the dialogue needs of the connection it is held over. */
export interface DialoguePort {
  readonly connection: number;
  readonly secure: boolean;
  /**
   * Lets the script act. `usual` answers where it does not; `accepted` follows where it gives a
   * positive reply of its own.
   */
  stage(stage: Stage, said: { line?: string; recipient?: string }, usual: () => void, accepted: () => void): void;
  reply(code: number, text: string): void;
  readBody(): void;
  startTls(): void;
  hangUp(): void;
  received(message: RecordedMessage): void;
  accepted(message: RecordedMessage): void;
}

interface Transaction {
  readonly mail: MailCommand;
  readonly to: MailCommand[];
}

export class SmtpDialogue {
  readonly #port: DialoguePort;
  readonly #options: ResolvedSmtpServerOptions;
  #greeted = false;
  #hello: 'EHLO' | 'HELO' | undefined;
  /** What MAIL and RCPT may use: nothing after HELO, which offers nothing (RFC 5321 4.1.1.1). */
  #offers: readonly string[] = [];
  #user: string | undefined;
  #transaction: Transaction | undefined;
  #exchange: Generator<string, AuthResult, string> | undefined;

  constructor(port: DialoguePort, options: ResolvedSmtpServerOptions) {
    this.#port = port;
    this.#options = options;
  }

  /** Whether the server waits for a new transaction, and nothing else. */
  get idle(): boolean {
    return this.#greeted && !this.#transaction && !this.#exchange;
  }

  greet(): void {
    this.#stage('greeting', {}, [220, `${this.#options.name} ESMTP`], () => (this.#greeted = true));
  }

  command(line: string): void {
    if (this.#exchange) return this.#authStep(line);
    const verb = (/^[a-z]+/i.exec(line)?.[0] ?? '').toUpperCase();
    if (verb === 'QUIT') {
      this.#say([221, '2.0.0 bye']);
      return this.#port.hangUp();
    }
    // After a greeting that refused, nothing but QUIT is served (RFC 5321 3.1).
    if (!this.#greeted) return this.#say([503, '5.5.1 no service here']);
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        return this.#sayHello(verb, line);
      case 'STARTTLS':
        return this.#startTls(line);
      case 'AUTH':
        return this.#authenticate(line);
      case 'MAIL':
        return this.#mail(line);
      case 'RCPT':
        return this.#rcpt(line);
      case 'DATA':
        return this.#data(line);
      case 'RSET':
        this.#transaction = undefined;
        return this.#say([250, '2.0.0 reset']);
      case 'NOOP':
        return this.#say([250, '2.0.0 ok']);
      case 'VRFY':
        return this.#say([252, '2.1.5 send and see']);
      default:
        return this.#say([500, '5.5.1 unknown command']);
    }
  }

  /** The final dot arrived. `silent` where a reply was given in the body already. */
  bodyEnded(data: Buffer, size: number, silent: boolean): void {
    const transaction = this.#transaction;
    if (!transaction) return;
    this.#transaction = undefined;
    const message: RecordedMessage = {
      from: transaction.mail.address,
      to: transaction.to.map(({ address }) => address),
      data,
      connection: this.#port.connection,
      mailArgs: transaction.mail.args,
      rcptArgs: transaction.to.map(({ args }) => args),
      secure: this.#port.secure,
      ...(this.#user !== undefined && { user: this.#user }),
    };
    this.#port.received(message);
    const accepted = (): void => this.#port.accepted(message);
    if (silent) return this.#port.stage('final-reply', {}, () => undefined, accepted);
    if (size > this.#options.sizeLimit) return this.#stage('final-reply', {}, [552, '5.3.4 message too big'], accepted);
    this.#stage('final-reply', {}, [250, '2.0.0 queued'], accepted);
  }

  #sayHello(verb: 'EHLO' | 'HELO', line: string): void {
    const extensions = verb === 'EHLO' ? this.#offered() : [];
    this.#stage('ehlo', { line }, [250, [this.#options.name, ...extensions].join('\n')], () => {
      this.#hello = verb;
      this.#offers = extensions;
      this.#transaction = undefined;
    });
  }

  #offered(): readonly string[] {
    const { extensions, secureContext, authRequired } = this.#options;
    const has = (word: string): boolean => extensions.some((one) => one.split(' ')[0] === word);
    return [
      ...extensions.filter((one) => one !== 'STARTTLS' || !this.#port.secure),
      ...(secureContext && !this.#port.secure && !has('STARTTLS') ? ['STARTTLS'] : []),
      ...(authRequired && !has('AUTH') ? ['AUTH PLAIN LOGIN XOAUTH2'] : []),
    ];
  }

  #startTls(line: string): void {
    if (!this.#hello || this.#port.secure) return this.#say([503, '5.5.1 not now']);
    if (!this.#options.secureContext)
      return this.#stage('starttls', { line }, [454, '4.7.0 TLS is not available'], () => undefined);
    this.#stage('starttls', { line }, [220, '2.0.0 go ahead'], () => {
      // What was said in the clear counts no more (RFC 3207 4.2).
      this.#hello = undefined;
      this.#user = undefined;
      this.#transaction = undefined;
      this.#port.startTls();
    });
  }

  #authenticate(line: string): void {
    if (!this.#hello || this.#user !== undefined || this.#transaction) return this.#say([503, '5.5.1 not now']);
    const [, mechanism = '', initial] = line.trim().split(/ +/);
    const begin = (): void => {
      this.#exchange = authExchange(mechanism.toUpperCase(), initial, this.#options.judge);
      this.#authStep('');
    };
    this.#port.stage('auth', { line }, begin, () => (this.#user = ''));
  }

  #authStep(line: string): void {
    const step = line === '*' ? undefined : this.#exchange?.next(line);
    if (step && !step.done) return this.#port.reply(334, step.value);
    this.#exchange = undefined;
    const result = step?.value ?? 'unreadable';
    if (result === 'unreadable') return this.#say([501, '5.5.2 cannot read these credentials']);
    if (result === 'refused') return this.#say([535, '5.7.8 these credentials are not known']);
    this.#user = result.user;
    this.#say([235, '2.7.0 welcome']);
  }

  #mail(line: string): void {
    if (!this.#hello) return this.#say([503, '5.5.1 EHLO comes first']);
    if (this.#transaction) return this.#say([503, '5.5.1 MAIL within MAIL']);
    if (this.#options.authRequired && this.#user === undefined) return this.#say([530, '5.7.0 authenticate first']);
    const mail = parseMailCommand(line);
    if (!mail) return this.#say([501, '5.5.4 MAIL FROM:<address>']);
    const usual = refusalOf(mail, this.#offers, isUtf8(mail)) ?? ([250, '2.1.0 sender ok'] as const);
    this.#stage('mail', { line }, usual, () => (this.#transaction = { mail, to: [] }));
  }

  #rcpt(line: string): void {
    const transaction = this.#transaction;
    if (!transaction) return this.#say([503, '5.5.1 MAIL comes first']);
    const rcpt = parseMailCommand(line);
    if (!rcpt) return this.#say([501, '5.5.4 RCPT TO:<address>']);
    const usual = refusalOf(rcpt, this.#offers, isUtf8(transaction.mail)) ?? ([250, '2.1.5 recipient ok'] as const);
    this.#stage('rcpt', { line, recipient: rcpt.address }, usual, () => transaction.to.push(rcpt));
  }

  #data(line: string): void {
    if (!this.#transaction) return this.#say([503, '5.5.1 MAIL comes first']);
    if (this.#transaction.to.length === 0) return this.#say([554, '5.5.1 no valid recipients']);
    this.#stage('data', { line }, [354, 'go ahead'], () => this.#port.readBody());
  }

  #stage(stage: Stage, said: { line?: string; recipient?: string }, usual: ReplyLine, accepted: () => void): void {
    const answer = (): void => {
      this.#say(usual);
      if (usual[0] < 400) accepted();
    };
    this.#port.stage(stage, said, answer, accepted);
  }

  #say([code, text]: ReplyLine): void {
    const enhanced = this.#options.extensions.includes('ENHANCEDSTATUSCODES');
    this.#port.reply(code, enhanced ? text : text.replace(/^[245]\.\d\.\d /, ''));
  }
}

function isUtf8(mail: MailCommand): boolean {
  return /(?:^| )SMTPUTF8(?: |$)/i.test(mail.args);
}
