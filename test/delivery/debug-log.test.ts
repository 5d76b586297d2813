import { format } from 'node:util';
import createDebug from 'debug';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { results, setUp, USER } from './set-up.js';

describe('under DEBUG', () => {
  const printed: string[] = [];
  const print = (...args: unknown[]): void => void printed.push(format(...args));

  beforeEach(() => {
    printed.length = 0;
    vi.spyOn(createDebug, 'log').mockImplementation(print);
    createDebug.enable('smtp-routes:*');
  });
  afterEach(() => {
    createDebug.disable();
    vi.restoreAllMocks();
  });

  /** Without colours and times. */
  const lines = (name: string): string[] =>
    printed
      // eslint-disable-next-line no-control-regex
      .map((line) => line.replaceAll(/\u001b\[[0-9;]*m/g, '').trim())
      .filter((line) => line.includes(`smtp-routes:${name} `))
      .map((line) => line.slice(line.indexOf(`smtp-routes:${name} `)).replace(/ \+\d+ms$/, ''));

  test('each part tells its side', async () => {
    const { deliver } = setUp({ scripts: { a: ['431@greeting mail ESMTP\nfull'], b: ['250 2.0.0 queued'] } });
    await deliver(USER, { id: 'mail-1' });
    expect(lines('route')).toEqual(['smtp-routes:route mail-1: example.com matches ALL: relay']);
    expect(lines('delivery')).toEqual([
      'smtp-routes:delivery mail-1: 1 recipient(s) to a (192.0.2.1:25), tier 0',
      'smtp-routes:delivery mail-1: a ended in phase connect: 431 mail ESMTP\\nfull, next-relay',
      'smtp-routes:delivery mail-1: 1 recipient(s) to b (192.0.2.2:25), tier 0',
      'smtp-routes:delivery mail-1: b ended in phase final-reply: 1 delivered',
      'smtp-routes:delivery mail-1: delivered by b, but a had failed: 431 mail ESMTP\\nfull',
      'smtp-routes:delivery mail-1: settled after 2 attempt(s): delivered',
    ]);
    expect(lines('health')).toEqual([
      'smtp-routes:health a is down until 2014-07-02T09:15:22.000Z: 431 mail ESMTP\\nfull',
    ]);
    expect(lines('mail').map((line) => line.replace(/^.* Info: /, ''))).toEqual([
      'New SMTP DCID 1 interface ? address 192.0.2.1 port 25',
      "Connection Error: DCID 1 domain: example.com IP: 192.0.2.1 port: 25 details: 431-mail ESMTP\\nfull' interface: ? reason: unexpected SMTP response",
      'New SMTP DCID 2 interface ? address 192.0.2.2 port 25',
      'DCID 2 close',
      expect.stringMatching(/^Delivery start DCID 2 MID \d+ to RID \[0\]$/) as string,
      expect.stringMatching(/^Message done DCID 2 MID \d+ to RID \[0\]$/) as string,
      expect.stringMatching(/^MID \d+ RID \[0\] Response 2.0.0 queued$/) as string,
      expect.stringMatching(/^Message finished MID \d+ done$/) as string,
    ]);
  });

  test('defects of the app are seen, and what they throw harms nobody', async () => {
    const { deliver } = setUp({
      classify: () => {
        throw Object.create(null) as Error;
      },
      onEvent: ({ type }) => {
        if (type === 'settled') throw new Error('bug\r\nin the app');
      },
      scripts: { a: ['451@data'], b: ['250'] },
    });
    expect(results(await deliver())).toEqual(['delivered by b']);
    expect(lines('delivery').filter((line) => line.includes('ignored'))).toEqual([
      "smtp-routes:delivery the app's callback failed, ignored: something was thrown that cannot be read",
      "smtp-routes:delivery the app's callback failed, ignored: bug?\\nin the app",
    ]);
  });

  test('no bodies and no whole addresses are shown but to the mail log', async () => {
    const { deliver } = setUp({ scripts: { a: ['550@rcpt no'] } });
    await deliver(USER);
    for (const line of printed) {
      expect(line).not.toContain('hello');
      expect(line).not.toContain(USER);
    }
  });
});
