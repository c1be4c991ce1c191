import 'uplot/dist/uPlot.min.css';
import './style.css';
import { render } from 'preact';
import { begin } from './store.js';
import { startTheme } from './theme.js';
import { App } from './ui/app.js';

startTheme();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
void begin();
