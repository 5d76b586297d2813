/**
 * What an app's transporter hands to the transport behind it, long after that was made: where
 * sockets come from, and where OAuth2 tokens come from and are told.
 */
import type { GetSocket } from '../core/relay.js';

export interface AppSide {
  getSocket: GetSocket | undefined;
  mailer: AppMailer | undefined;
}

/** The transporter: it may provide tokens (`oauth2_provision_cb`), and is told of new ones (`token`). */
export interface AppMailer {
  get(key: string): unknown;
  emit(event: 'token', token: unknown): unknown;
}
