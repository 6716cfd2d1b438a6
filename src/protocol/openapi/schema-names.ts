/** The names of forms in OpenAPI: those that the source exports them by, without `Shape`. */

import * as workload from '../../model/workload/workload.ts';
import * as processes from '../routes/process-routes.ts';
import * as assignedWorkload from '../shapes/assigned-workload-shape.ts';
import * as assignment from '../shapes/assignment-shape.ts';
import * as bootViews from '../shapes/boot-view-shapes.ts';
import * as catalogue from '../shapes/catalogue-shapes.ts';
import * as diskImages from '../shapes/disk-image-shape.ts';
import type { Outline, Shape } from '../shapes/form.ts';
import * as inventory from '../shapes/inventory-shape.ts';
import * as keys from '../shapes/key-file.ts';
import * as membership from '../shapes/membership-shape.ts';
import * as network from '../shapes/network-shape.ts';
import * as nodeAssignment from '../shapes/node-assignment-shape.ts';
import * as parts from '../shapes/parts.ts';
import * as path from '../shapes/path-view-shape.ts';
import * as state from '../shapes/state-shape.ts';
import * as timeline from '../shapes/timeline-shape.ts';
import * as views from '../shapes/view-shapes.ts';
import * as workloadViews from '../shapes/workload-view-shapes.ts';

const MODULES: readonly object[] = [
  parts,
  network,
  state,
  inventory,
  timeline,
  views,
  assignment,
  catalogue,
  keys,
  membership,
  nodeAssignment,
  assignedWorkload,
  workload,
  workloadViews,
  path,
  bootViews,
  diskImages,
  processes,
];

/** The outline of each exported form, with its name. */
export function schemaNames(): ReadonlyMap<Outline, string> {
  const names = new Map<Outline, string>();
  for (const [name, value] of MODULES.flatMap((module) => Object.entries(module))) {
    if (name.endsWith('Shape') && isShape(value) && !names.has(value.outline)) {
      names.set(value.outline, name.slice(0, -'Shape'.length));
    }
  }
  return names;
}

function isShape(value: unknown): value is Shape<unknown> {
  return typeof value === 'object' && value !== null && 'read' in value && 'outline' in value;
}
