import { places } from './places.js';
import { testTables } from './tables.js';

for (const place of await places('Node')) testTables(place);
