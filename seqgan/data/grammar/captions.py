"""The rules of the caption grammar: captions of everyday pictures, written for this toolkit.

What makes it a source worth learning, small as it is:

- agreement at a distance: number (*two men wearing red hats are riding bicycles*), *his* and *her*,
  *a* and *an*;
- meaning at a distance: the subject decides what it may be doing and where (a train does not sleep,
  a cat does not graze), a room what may stand in it;
- unequal choices: slots have common fillings and rare ones.

The weights are chosen so that 10,000 captions are enough for a small LSTM to come close.

The grammar is unambiguous: no caption has two derivations (a test counts both). What keeps it so: a
phrase of place hangs on the whole sentence, never on the noun before it, and the alternatives of a
rule do not contain each other.
"""

from __future__ import annotations

__all__ = ["CAPTION_RULES"]

CAPTION_RULES = """
CAPTION -> 14 ONE_MAN is HE_DOES | 13 ONE_WOMAN is SHE_DOES | 5 ONE_PERSON is ONE_DOES
  | 19 MANY_PEOPLE are MANY_DO | 12 ONE_PET is PET_DOES | 8 MANY_PETS are PET_DOES
  | 5 ONE_GRAZER is GRAZER_DOES | 7 MANY_GRAZERS are GRAZER_DOES
  | 8 ONE_VEHICLE is VEHICLE_DOES | 6 MANY_VEHICLES are VEHICLE_DOES
  | 3 A_TRAIN is TRAIN_DOES | 3 A_PLANE is PLANE_DOES | 3 A_BOAT is BOAT_DOES
  | 5 there is STILL_LIFE | 3 there are MANY_THINGS on FURNITURE | 4 STILL_LIFE | 5 a ROOM

# People: who they are
ONE_MAN -> 10 a man LOOK | 8 a ADULT_IS man LOOK | 5 an ADULT_IS_AN man LOOK
  | 4 a boy LOOK | 6 a KID_IS boy LOOK | 2 the man LOOK
ONE_WOMAN -> 10 a woman LOOK | 8 a ADULT_IS woman LOOK | 5 an ADULT_IS_AN lady LOOK
  | 4 a girl LOOK | 6 a KID_IS girl LOOK | 2 the woman LOOK
ONE_PERSON -> 4 a person LOOK | 3 an ADULT_IS_AN person LOOK | 4 a KID_IS child LOOK
MANY_PEOPLE -> 9 NUMBER SOME_PERSONS LOOKS | 4 a group of GROUP LOOKS
  | 2 a couple of PERSONS LOOKS | 4 a COUPLE_IS man and a COUPLE_IS woman
  | 4 a COUPLE_IS GROWN_UP and a KID_IS KID
ADULT_IS -> 5 young | 4 tall | 3 smiling
ADULT_IS_AN -> 3 old | 2 elderly
COUPLE_IS -> 4 | 4 young | 3 tall
GROWN_UP -> 4 man | 4 woman
KID -> 4 boy | 4 girl | 3 child
KID_IS -> 4 little | 3 young | 2 small
NUMBER -> 6 two | 4 three | 4 several
SOME_PERSONS -> 5 PERSONS | 5 young PERSONS | 3 old GROWN_UPS
GROWN_UPS -> 5 men | 4 women
PERSONS -> 5 men | 4 women | 3 boys | 3 girls | 2 children
GROUP -> 6 people | 3 children | 2 men
LOOK -> 5 | 5 in CLOTHES | 4 wearing CLOTHES
LOOKS -> 5 | 5 in COLOUR GARMENTS | 4 wearing COLOUR GARMENTS
CLOTHES -> 12 a COLOUR GARMENT | 2 an orange GARMENT
GARMENT -> 5 shirt | 4 jacket | 4 hat | 3 sweater | 3 coat
GARMENTS -> 5 shirts | 4 jackets | 4 hats | 3 coats
COLOUR -> 5 red | 5 blue | 4 black | 5 white | 4 green | 4 yellow | 3 pink | 3 brown

# People: what they do; one person rides one bicycle, two people ride bicycles
HE_DOES -> 16 ONE_DOES | 3 walking his OWN_PET WALK | 2 standing next to his OWN_RIDE
SHE_DOES -> 16 ONE_DOES | 3 walking her OWN_PET WALK | 2 standing next to her OWN_RIDE
ONE_DOES -> 7 riding ONE_RIDE RIDE_PLACE | 9 holding ONE_HELD AROUND | 4 eating ONE_MEAL EAT_PLACE
  | 2 talking on a phone AROUND | 2 flying ONE_KITE OPEN_PLACE | 20 EVERYONE_DOES
MANY_DO -> 6 riding MANY_RIDES RIDE_PLACE | 7 holding MANY_HELD AROUND
  | 4 eating MANY_MEALS EAT_PLACE | 3 talking AROUND | 2 flying kites OPEN_PLACE
  | 2 walking their OWN_PETS WALK | 2 standing next to their OWN_RIDES | 20 EVERYONE_DOES
EVERYONE_DOES -> 7 sitting SEAT | 7 standing STAND_PLACE | 5 playing GAME OPEN_PLACE
  | 7 walking COMPANY WALK | 2 skiing down SLOPE | 2 surfing on WAVES | 2 cooking MEAL IN_KITCHEN
  | 2 looking at SIGHT | 2 waiting for WAITED AT_STOP
ONE_RIDE -> 6 a COLOUR bicycle | 5 a PET_COLOUR horse | 4 a COLOUR motorcycle
  | 4 a COLOUR skateboard | an elephant
MANY_RIDES -> 5 COLOUR bicycles | 5 PET_COLOUR horses | 4 COLOUR motorcycles
RIDE_PLACE -> 7 down STREET | 5 along SHORE | 4 through the GREENERY | 4 past LANDMARK
ONE_HELD -> 6 a COLOUR umbrella | 4 a tennis racket | 3 a COLOUR phone | 3 a baseball bat
  | 4 a KID_TOY | 4 a COLOUR frisbee | an umbrella
MANY_HELD -> 6 COLOUR umbrellas | 4 tennis rackets | 4 COLOUR phones | 4 COLOUR surfboards
ONE_MEAL -> 5 a slice of pizza | 3 a sandwich | 3 a piece of cake | 2 a hot dog | 2 an apple
MANY_MEALS -> 5 pizza | 3 cake | 3 sandwiches
EAT_PLACE -> 5 at TABLE | 3 in the kitchen | 4 on BENCH | 4 BY LANDMARK
TABLE -> 2 the table | 3 a TABLE_IS table | 5 a TABLE_SIZE TABLE_IS table
TABLE_IS -> 5 wooden | 4 glass | 3 COLOUR
TABLE_SIZE -> 4 small | 4 large | 3 round
ONE_KITE -> 3 a kite | 6 a COLOUR kite
COMPANY -> 6 | 4 with a PET | 6 with a PET_IS PET
OWN_PET -> 4 dog | 6 PET_IS dog | 2 puppy
OWN_PETS -> 4 dogs | 6 PET_IS dogs
OWN_RIDE -> 4 COLOUR car | 4 COLOUR motorcycle | 4 COLOUR bicycle
OWN_RIDES -> 4 COLOUR cars | 4 COLOUR motorcycles | 4 COLOUR bicycles
SEAT -> 6 on BENCH BY_BENCH | 5 at TABLE | 3 on SOFT | 3 BY LANDMARK
BENCH -> 4 a bench | 4 a wooden bench | 3 a COLOUR bench
BY_BENCH -> 6 BY LANDMARK | 4 WHEN
SOFT -> 5 a COLOUR couch | 3 the bed | 2 the floor
STAND_PLACE -> 10 BY LANDMARK | 4 BY SHORE | 2 in the kitchen | 2 in the snow
GAME -> 5 tennis | 4 baseball | 4 soccer | 3 frisbee
WALK -> 7 down STREET | 5 along SHORE | 4 through the GREENERY | 4 past LANDMARK
SLOPE -> 4 a SNOWY HILL | 2 the HILL
SNOWY -> 4 snowy | 2 tall
HILL -> 4 hill | 2 mountain
WAVES -> 5 a WAVE_IS wave | 2 the waves
WAVE_IS -> 4 large | 3 small
MEAL -> 4 food | 3 pizza | 2 pasta
IN_KITCHEN -> in a ROOM_IS kitchen
SIGHT -> 4 a laptop | 3 the camera | 4 a COLOUR bird
WAITED -> 4 the bus | 3 a train
AT_STOP -> 3 | 4 BY LANDMARK | 2 WHEN

# Places and times
AROUND -> 9 BY LANDMARK | 4 by SHORE | 3 in the park | 4 WHEN
OPEN_PLACE -> 4 on the beach | 4 in the park | 5 in a FIELD_IS field | 4 WHEN
BY -> 5 near | 5 next to | 4 in front of | 4 behind
LANDMARK -> 3 the SITE | 3 a SITE_SIZE SITE | 4 a SITE_IS SITE | 7 a SITE_SIZE SITE_IS SITE
  | 3 an old SITE_IS SITE | 3 the old SITE
SITE -> 5 building | 5 fence | 4 bridge | 4 church | 4 fountain | 4 wall | 3 house
SITE_IS -> 5 stone | 4 brick | 4 wooden | 4 COLOUR
SITE_SIZE -> 5 large | 5 tall | 4 small
STREET -> 3 the street | 5 a STREET_IS street | 5 a STREET_IS road
STREET_IS -> 4 busy | 4 city | 3 quiet | 3 narrow | 2 dirt
SHORE -> 5 the beach | 4 the river | 4 the lake
GREENERY -> 4 park | 4 woods | 3 grass
FIELD_IS -> 4 green | 3 large | 3 grassy
WHEN -> 5 on a WEATHER day | 3 at night | 2 in the rain
WEATHER -> 5 sunny | 3 cloudy | 2 cold

# Animals: at home and on the meadow
ONE_PET -> 6 a PET_IS PET | 3 a PET | 6 a PET_LOOKS PET_COLOUR PET | 2 an orange cat | 2 the PET
MANY_PETS -> 3 NUMBER PETS | 7 NUMBER PET_IS PETS | 7 a PET_IS PET and a PET_IS PET
PET -> 6 dog | 6 cat | 2 puppy | 2 kitten
PETS -> 6 dogs | 6 cats | 2 puppies | 2 kittens
PET_IS -> 7 PET_COLOUR | 4 PET_LOOKS
PET_LOOKS -> 4 small | 3 fluffy | 3 young
PET_COLOUR -> 4 black | 4 brown | 4 white | 3 gray
PET_DOES -> 6 sleeping PET_PLACE | 6 lying PET_PLACE | 5 sitting PET_PLACE
  | 3 looking out of WINDOW | 4 playing with a TOY WHERE_PLAY | 4 running RUN
PET_PLACE -> 2 | 7 on A_SOFT | 5 on top of a COLOUR car | 5 next to OBJECT | 5 under TABLE
  | 4 BY LANDMARK
A_SOFT -> 5 a COLOUR couch | 5 a COLOUR blanket | 3 the bed | 2 the floor
OBJECT -> 4 a laptop | 4 a COLOUR suitcase | 4 a COLOUR chair | 3 the window
WINDOW -> 3 a window | 3 a large window | 2 an open window
TOY -> 6 COLOUR ball | 5 COLOUR frisbee
KID_TOY -> 4 teddy bear | 3 COLOUR ball
WHERE_PLAY -> 3 BY LANDMARK | 3 on the beach | 3 in the grass | 3 in the snow
RUN -> 4 through the GREENERY | 4 along SHORE | 5 across a FIELD_IS field | 4 down STREET
ONE_GRAZER -> 3 a GRAZER | 6 a GRAZER_IS GRAZER | 3 an elephant | 2 a baby elephant
MANY_GRAZERS -> 4 NUMBER GRAZERS | 4 a herd of GRAZERS | 3 a herd of GRAZER_IS GRAZERS
  | 5 NUMBER GRAZER_IS GRAZERS
GRAZER -> 4 horse | 4 giraffe | 4 zebra | 4 cow
GRAZERS -> 4 zebras | 4 sheep | 4 cows | 4 horses | 3 elephants | 3 giraffes
GRAZER_IS -> 4 PET_COLOUR | 4 large | 4 small
GRAZER_DOES -> 7 standing GRAZE_PLACE | 6 grazing GRAZE_PLACE | 5 walking GRAZE_WALK
  | 3 eating EATEN | 3 drinking water from a POOL
GRAZE_PLACE -> 5 in a FIELD_IS field NEAR | 3 on a grassy hill NEAR | 3 NEAR_SOMETHING
NEAR -> 2 | 5 NEAR_SOMETHING | 3 on a WEATHER day
NEAR_SOMETHING -> 4 near a FENCE | 3 next to a FENCE | 3 behind a FENCE
FENCE -> 3 fence | 4 FENCE_IS fence | 3 tree | 3 TREE_IS tree
FENCE_IS -> 4 wooden | 4 COLOUR
TREE_IS -> 4 tall | 3 large
GRAZE_WALK -> 5 across a FIELD_IS field NEAR | 3 through the woods | 3 down a dirt road
  | 4 along SHORE
EATEN -> 4 grass NEAR | 3 leaves from a TREE_IS tree
POOL -> 3 river | 3 pond

# Vehicles: on the road, on rails, in the air, on the water
ONE_VEHICLE -> 9 a COLOUR VEHICLE | 8 a SIZE COLOUR VEHICLE | 4 an old COLOUR VEHICLE
MANY_VEHICLES -> 3 NUMBER VEHICLES | 7 NUMBER COLOUR VEHICLES | 4 a row of COLOUR VEHICLES
SIZE -> 4 large | 3 small
VEHICLE -> 5 bus | 4 truck | 4 car | 3 motorcycle
VEHICLES -> 4 buses | 4 cars | 4 motorcycles | 3 trucks
VEHICLE_DOES -> 7 parked PARK_PLACE | 7 driving down STREET DRIVE | 4 stopped at a STOP AT_STOP
DRIVE -> 2 | 4 WHEN | 5 past LANDMARK
PARK_PLACE -> 4 on the side of the ROAD | 7 BY LANDMARK | 3 in a parking lot WHEN
ROAD -> 4 road | 3 street
STOP -> 4 traffic light | 3 stop sign
A_TRAIN -> 5 a COLOUR train | 3 a COLOUR passenger train | 3 an old COLOUR train
TRAIN_DOES -> 6 traveling RAILS | 3 pulling into a STATION | 3 stopped at a STATION
RAILS -> 4 down the tracks | 5 past LANDMARK | 4 through the GREENERY
STATION -> 3 station | 3 train station
A_PLANE -> 4 a SIZE PLANE | 4 a COLOUR PLANE | 6 a SIZE COLOUR PLANE
PLANE -> 4 plane | 3 jet
PLANE_DOES -> 7 flying FLIGHT | 4 parked on the runway WHEN | 3 taking off WHEN
FLIGHT -> 5 through a SKY_IS sky | 5 over the WATERS
SKY_IS -> 4 blue | 3 cloudy
WATERS -> 4 ocean | 4 city | 3 lake
A_BOAT -> 2 a boat | 4 a COLOUR boat | 4 a SIZE COLOUR boat
BOAT_DOES -> 5 floating on the WATER BOAT_PLACE | 4 sailing on the WATER BOAT_PLACE
WATER -> 4 water | 3 lake | 3 river
BOAT_PLACE -> 3 WHEN | 4 BY LANDMARK

# Still lifes and rooms
STILL_LIFE -> 2 ONE_THING on FURNITURE | 7 ONE_THING and ONE_THING on FURNITURE
ONE_THING -> 5 a vase of FLOWERS | 5 a PLATE_IS plate of PLATEFUL | 4 a PLATE_IS bowl of BOWLFUL
  | 4 a PLATE_IS cup of coffee | 3 a COLOUR laptop | 3 a COLOUR cake
FLOWERS -> 4 flowers | 6 COLOUR flowers
PLATEFUL -> 5 food | 3 pasta | 3 pizza
BOWLFUL -> 4 fruit | 4 soup | 3 rice
PLATE_IS -> 5 | 3 small | 3 COLOUR
MANY_THINGS -> 4 NUMBER PLATE_IS plates of PLATEFUL | 4 NUMBER COLOUR cups | 3 NUMBER COLOUR books
FURNITURE -> 6 TABLE | 4 a COLOUR counter | 4 a TABLE_IS desk
ROOM -> 4 ROOM_IS kitchen with KITCHEN_THING and KITCHEN_THING
  | 4 ROOM_IS bathroom with BATH_THING and BATH_THING
  | 3 ROOM_IS bedroom with BED_THING and BED_THING
ROOM_IS -> 4 small | 4 large | 4 modern | 3 clean
KITCHEN_THING -> 4 a COLOUR stove | 4 a COLOUR refrigerator | 3 a TABLE_IS table | 3 wooden cabinets
BATH_THING -> 4 a COLOUR toilet | 4 a COLOUR sink | 3 a MIRROR_IS mirror | 3 a COLOUR bathtub
MIRROR_IS -> 4 large | 3 round
BED_THING -> 5 a COLOUR bed | 4 a COLOUR lamp | 3 a TABLE_IS desk | 3 a large window
"""
