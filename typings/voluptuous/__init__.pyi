# Home Assistant serves its own engine, probatio, under the name of voluptuous.
from probatio import *
