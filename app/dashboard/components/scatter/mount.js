// What Streamlit (components v2) takes: the default export of one module.

import { mountScatter } from './mounting.js';

export default mountScatter;
