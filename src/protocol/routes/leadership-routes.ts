/** Routes of host0's control socket: which of several host0s leads. A host0 that waits answers this, and its status. */
import { LeadershipShape } from '../shapes/view-shapes.ts';
import { document, type RouteTable } from './route.ts';

/** The table. */
export const LEADERSHIP_ROUTES = {
  'GET /v1/leadership': {
    summary: 'Says whether this host0 leads, and which one does.',
    answer: document(LeadershipShape),
  },
} as const satisfies RouteTable;
