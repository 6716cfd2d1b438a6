/**
 * Stands in for host0's daemon and the agent in tests of start and stop. It listens on the control socket that its flags
 * choose, answers its status, logs its flags, and ends at SIGTERM. With `--host0 192.0.2.1` it refuses to start.
 */

import { mkdirSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { pathsBelow } from '../../src/protocol/documents/paths.ts';
import { agentStatus, host0Status } from './documents.ts';

const { values, tokens } = parseArgs({
  options: {
    root: { type: 'string', default: '/' },
    'host0-dir': { type: 'string' },
    host0: { type: 'string' },
    name: { type: 'string' },
    'on-host0': { type: 'boolean', default: false },
  },
  tokens: true,
});
const paths = pathsBelow(values.root);
const isAgent = values['on-host0'] || values.host0 !== undefined;
if (values.host0 === '192.0.2.1') {
  writeSync(2, 'mesh agent: 192.0.2.1 is no host\n');
  process.exit(2);
}
mkdirSync(paths.run, { recursive: true });
const status = isAgent
  ? { ...agentStatus, upSec: 5, host0: values.host0?.split(',') ?? [] }
  : { ...host0Status, upSec: 5 };
const server = createServer((_request, response) => response.end(JSON.stringify(status)));
server.listen(isAgent ? paths.agentSock : paths.controlSock, () => {
  const flags = tokens.flatMap((token) => (token.kind === 'option' ? [token.rawName] : [])).join(' ');
  const event = { time: '2026-11-21T06:12:01.000Z', level: 'info', source: isAgent ? 'agent' : 'host0' };
  writeSync(1, `${JSON.stringify({ seq: 1, node: 'here', ...event, kind: 'started', message: flags })}\n`);
});
process.on('SIGTERM', () => {
  server.close();
  process.exit(0);
});
