/**
 * The builder of bounces that queues use unless the app brings its own.
 */
import type { BuildBounce, MayBounce } from './failure-notices.js';

export const mayBounce: MayBounce = ({ from }) => from !== '';

export const buildBounce: BuildBounce = () => Promise.reject(new Error('there is no builder of bounces'));
