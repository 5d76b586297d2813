/**
 * nodemailer's MIME builder, in the one form that loads on 8, 9 and 10.
 */
import type MimeNode from 'nodemailer/lib/mime-node/index.js';

export interface Mime {
  readonly MimeNode: typeof MimeNode;
  readonly foldLines: (field: string) => string;
}

/** @throws {Error} where nodemailer is not installed */
export async function loadMime(): Promise<Mime> {
  const [mimeNode, mimeFuncs] = await Promise.all([
    import('nodemailer/lib/mime-node/index.js'),
    import('nodemailer/lib/mime-funcs/index.js'),
  ]);
  const { foldLines } = unwrapped(mimeFuncs) as typeof mimeFuncs;
  return { MimeNode: unwrapped(mimeNode) as typeof MimeNode, foldLines: (field) => foldLines(field, LINE) };
}

const LINE = 76;

/** 8 and 9 are CommonJS, and 10 has a CommonJS build with a `default` of its own. */
function unwrapped(module: object): unknown {
  const inner = (module as { default?: object }).default ?? module;
  return (inner as { default?: unknown }).default ?? inner;
}
