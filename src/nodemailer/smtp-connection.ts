/**
 * nodemailer's SMTP connection, loaded in the one form that works on 8, 9 and 10, from ES modules
 * and CommonJS alike.
 */
import SMTPConnectionModule from 'nodemailer/lib/smtp-connection/index.js';

type ConnectionClass = typeof SMTPConnectionModule;

/** In CommonJS, nodemailer 10 exports an object with `default`; 8 and 9 export the class itself. */
export const SMTPConnection: ConnectionClass =
  (SMTPConnectionModule as ConnectionClass & { default?: ConnectionClass }).default ?? SMTPConnectionModule;

export type SMTPConnection = InstanceType<ConnectionClass>;

export type ConnectionOptions = NonNullable<ConstructorParameters<ConnectionClass>[0]>;
export type ConnectionAuth = NonNullable<Parameters<SMTPConnection['login']>[0]>;
export type ConnectionEnvelope = Parameters<SMTPConnection['send']>[0];
export type SendInfo = NonNullable<Parameters<Parameters<SMTPConnection['send']>[2]>[1]>;

/** The fields of nodemailer's errors that matter here, typed warily: 8, 9 and 10 differ. */
export interface MailError extends Error {
  readonly code?: string;
  /** nodemailer 10: the system's code, such as `ECONNREFUSED`. */
  readonly originalCode?: string;
  readonly errno?: number;
  readonly command?: string;
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly rejectedErrors?: readonly RecipientError[];
}

export interface RecipientError {
  readonly recipient?: string | undefined;
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
}

/** The major version of the app's nodemailer. */
export const nodemailerMajor: number = Number.parseInt(new SMTPConnection().version, 10);
