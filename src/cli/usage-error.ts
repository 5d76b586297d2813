/**
 * The command was called in a way that it cannot follow. Exit code 2; everything else that goes wrong
 * is a problem of a file, a relay or ours.
 */
export class UsageError extends Error {
  /** Whose help may be of use. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(message);
    this.command = command;
  }
}
