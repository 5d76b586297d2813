/**
 * Other versions of the peers for the tests: SMTP_ROUTES_NODEMAILER=/folder/of/a/nodemailer, and
 * SMTP_ROUTES_BULLMQ, SMTP_ROUTES_IOREDIS and SMTP_ROUTES_PG_BOSS in the same way.
 */
const NAMES = ['nodemailer', 'bullmq', 'ioredis', 'pg-boss'];

/** What is to be used in place of what is installed here. */
export const otherPeers: readonly { readonly name: string; readonly folder: string }[] = NAMES.flatMap((name) => {
  const folder = process.env[`SMTP_ROUTES_${name.toUpperCase().replaceAll('-', '_')}`];
  return folder === undefined ? [] : [{ name, folder }];
});
