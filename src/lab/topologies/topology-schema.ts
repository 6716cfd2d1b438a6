/** The JSON Schema of topologies, with which editors complete and check them. */
import { type JsonSchema, SchemaPrinter } from '../../protocol/openapi/json-schema.ts';
import { VmTopologyShape } from './vm-topology.ts';

export function topologySchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A topology of `mesh lab up`',
    ...new SchemaPrinter(new Map()).schemaOf(VmTopologyShape),
  };
}
