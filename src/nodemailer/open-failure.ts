/**
 * What a failure before the first MAIL is: always a fault of the relay.
 */
import { failedCommand, USUAL_COMMAND } from '../core/failed-command.js';
import type { Failure, Phase } from '../core/failure.js';
import { parseReply } from '../core/reply.js';
import { lostFailure } from './lost-failure.js';
import type { MailError } from './smtp-connection.js';

/** In phase `connect` until the server has greeted with a 220, then in `session`. */
export function openFailure(error: MailError, lastServerResponse: string | false): Failure {
  if (error.code === 'EABORT') return { kind: 'aborted', message: error.message };
  const phase: Phase = hasGreeted(error, lastServerResponse) ? 'session' : 'connect';
  const reply = error.response === undefined ? undefined : parseReply(error.response);
  const command = failedCommand(error.command, USUAL_COMMAND[phase]);
  return reply ? { kind: 'reply', phase, reply, ...command } : { ...lostFailure(phase, error), ...command };
}

/** The last reply was the greeting, or a later one, unless it is itself what the error is about. */
function hasGreeted({ command = 'CONN', response }: MailError, lastServerResponse: string | false): boolean {
  return command !== 'CONN' || (lastServerResponse !== false && response !== lastServerResponse);
}
