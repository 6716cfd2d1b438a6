/** The settings of host0.conf that a running host0 has not taken up: commands that read the file must not call them in force. */

import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Context } from '../context.ts';

/** At most one finding, with the keys and the command that takes them up; none where host0's daemon does not answer. */
export async function pendingSettings({ paths }: Context): Promise<readonly Finding[]> {
  const status = await host0Client(paths)
    .ask('GET /v1/status')
    .catch(() => undefined);
  return (status?.health ?? []).filter(({ code }) => code === 'MESH_HOST0_CONF_PENDING');
}
