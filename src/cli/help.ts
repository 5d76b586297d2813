/**
 * What each command says of itself. The examples run as they stand in a folder with a `routes.txt`;
 * a test does that.
 */

const FILE = `FILE is AsyncOS route text or a JSON definition (what defineRoutes takes); - is standard input.`;

const JSON_OPTION = '  --json              machine-readable output';

export const OVERVIEW: string = `Usage: smtp-routes COMMAND FILE [OPTION…]

Commands:
  check      every problem of a table of routes, and what looks like a slip
  explain    where the mail of an address goes, and why
  simulate   who would get what if relays were down, and when the rest is tried again
  convert    Postfix transport tables and AsyncOS text, to JSON or AsyncOS text
  graph      the table as a picture
  probe      whether the relays answer; sends no mail

${FILE}
smtp-routes COMMAND --help tells more; --version. Exit code 0; 1: problems found; 2: wrong use.
`;

export const HELP: Readonly<Record<string, string>> = {
  check: `Usage: smtp-routes check [--strict] [--json] FILE

Prints every problem of a table of routes as FILE:LINE: message, and warns of what is legal but
looks like a slip: rules that change nothing, relays never used, a single host, no ALL, one host
under two names, priorities out of order. ${FILE}

Options:
  --strict            warnings count as problems: exit code 1
${JSON_OPTION}

Example:
  smtp-routes check routes.txt
`,
  explain: `Usage: smtp-routes explain [--dns] [--json] FILE ADDRESS…

Says for each address or domain which rules were considered, which won and why, the relays in
order, and what DNS would be asked. Exit code 1 if one is no address. ${FILE}

Options:
  --dns               ask DNS, and show what it answers
${JSON_OPTION}

Example:
  smtp-routes explain routes.txt user@sub.example.com
`,
  simulate: `Usage: smtp-routes simulate [OPTION…] FILE

Delivers imaginary messages with the real delivery code, without a network and without waiting:
who gets what share, the way of a message, what is queued and when it is tried again. ${FILE}

Options:
  --down RELAY        nobody answers there; may be repeated
  --reply RELAY=LINE  what that relay does, as 450@rcpt or '431@greeting full'; may be repeated
  --messages N        how many messages (default 1000)
  --domain DOMAIN     to whom, a domain or an address; with several they take turns
                      (default: the first domain of the table)
  --seed N            other dice (default 1)
${JSON_OPTION}

Example:
  smtp-routes simulate routes.txt --down exchange1.example.com --domain example.com
`,
  convert: `Usage: smtp-routes convert [--from FORM] --to json|asyncos FILE

Writes a table in another form to standard output. What the other form cannot say is listed on
standard error, with exit code 1. A JSON definition with credentials is never printed.

Options:
  --from FORM         postfix-transport, asyncos or json (default: asyncos or json, as it looks)
  --to FORM           json or asyncos
  --parent-domain-matches
                      the Postfix has transport_maps in parent_domain_matches_subdomains
  --json              result and list as one JSON value

Example:
  smtp-routes convert --from asyncos --to json routes.txt
`,
  graph: `Usage: smtp-routes graph [--format svg|mermaid] [--json] FILE

Draws what is matched, the tiers in order, and their relays; routes with the same relays share a
box. ${FILE}

Options:
  --format FORMAT     svg (default) or mermaid
  --json              the boxes as data

Example:
  smtp-routes graph --format svg routes.txt > routes.svg
`,
  probe: `Usage: smtp-routes probe [--timeout SECONDS] [--json] FILE [DOMAIN…]

Connects to each relay, or to those of the given domains: greeting, EHLO, STARTTLS, QUIT. Shows
what answers, how fast, its extensions and the days left of its certificate. No mail is sent, and
no credentials. Exit code 1 if a relay is down. ${FILE}

Options:
  --timeout SECONDS   for each relay (default 10)
${JSON_OPTION}

Example:
  smtp-routes probe routes.txt example.com
`,
};
