import { mount } from 'svelte';
import './app.css';
import App from './App.svelte';
import { backend } from './lib/backend';

// First of all: it takes the token out of the address, which the router then reads.
backend();

const target = document.getElementById('app');
if (target) mount(App, { target });
