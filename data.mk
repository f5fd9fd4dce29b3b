# What a user gives on make's command line, or in the environment under one of
# these names, is data: make expands nothing in it, here or in what it starts.
# Recipes take it from the environment ("$$WEIGHTS"), where the shell expands
# nothing in it either. Without export an override from the command line is not there.
DATA := ARGS AU CALIBRATION CLASSES COLOUR DEMO FUZZTIME JSON KEY LICENCE MAINTAINER MINUTES N NAME NEWER ONLY OUT PREPROCESSING SANDBOX SIZE \
	SOURCE_DATE_EPOCH TABLES TEMPLATE TIMES UNITS VA VERSION WEIGHTS
$(foreach v,$(.VARIABLES),$(if $(findstring command line,$(origin $v))$(and $(findstring environment,$(origin $v)),$(filter $v,$(DATA))),$(eval export override $v := $$(value $v))))
# Sub-makes get it from the environment as well.
MAKEOVERRIDES :=
