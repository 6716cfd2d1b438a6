/** The topologies that come with labs, and how a topology is found. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { shippedFile } from '../shipped-files.ts';
import { readTopology } from './topology-file.ts';
import type { VmTopology } from './vm-topology.ts';

/** A topology that was found. */
export interface FoundTopology {
  readonly title: string;
  readonly file: string;
  readonly text: string;
  readonly topology: VmTopology;
}

/** The names of the topologies that come with labs. */
export function shippedTopologies(): string[] {
  return readdirSync(shippedFile('topologies'))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => basename(name, '.yaml'))
    .sort();
}

/**
 * A topology by its name, or by the path of its file.
 * @throws MESH_LAB_TOPOLOGY, MESH_CONF_*
 */
export function findTopology(word: string, directory = process.cwd()): FoundTopology {
  const shipped = shippedTopologies();
  const file = shipped.includes(word) ? shippedFile('topologies', `${word}.yaml`) : resolve(directory, word);
  if (!existsSync(file)) {
    throw new MeshError('MESH_LAB_TOPOLOGY', `there is no topology ${word}`, {
      object: file,
      rule: 'A topology is named by its file, or is one that comes with labs.',
      remedy: `Name a file, or one of ${shipped.join(', ')}.`,
    });
  }
  const text = readFileSync(file, 'utf8');
  return { title: basename(file).replace(/\.ya?ml$/, ''), file, text, topology: readTopology(file, text) };
}

/** The directory that paths in a topology are relative to. */
export function baseOf({ file }: FoundTopology): string {
  return dirname(file);
}
