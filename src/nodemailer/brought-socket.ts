/**
 * A socket that the app brings for a connection, by nodemailer's `getSocket`.
 */
import type { Socket } from 'node:net';
import type { GetSocket } from '../core/relay.js';
import { inTime, type InTime } from './in-time.js';
import type { ConnectionOptions } from './smtp-connection.js';

type Found = { readonly connection?: unknown } | false | undefined;

/**
 * Puts what `getSocket` answers into the options of the connection; false if it answers nothing.
 *
 * @throws {Error} what `getSocket` hands over; code `ETIMEDOUT` or `EABORT` if it is given up
 */
export async function broughtSocket(
  getSocket: GetSocket,
  options: ConnectionOptions,
  { signal, limitMs }: Pick<InTime<unknown>, 'signal' | 'limitMs'>,
): Promise<boolean> {
  const asked = new Promise<Found>((resolve, reject) => {
    getSocket({ ...options }, (error, found) => {
      if (error) reject(error);
      else {
        // Paused in this very turn, until nodemailer's connection listens: 8 and 9 lose a greeting that comes at once.
        if (found) (found.connection as Socket | undefined)?.pause();
        resolve(found);
      }
    });
  });
  const tooLate = (late: Found): void => {
    if (late) (late.connection as Socket | undefined)?.destroy();
  };
  const found = await inTime(asked, { signal, limitMs, tooLate });
  if (!found || found.connection === undefined) return false;
  Object.assign(options, found);
  return true;
}
